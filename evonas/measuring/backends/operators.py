"""Which operator of a network a converter cannot convert: found in the exported network, for its error may not say."""

import re
from collections.abc import Callable
from operator import getitem
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torch.utils._pytree import tree_leaves

from evonas.measuring.backends.conversion import NoOperator, user_line
from evonas.text import describe_error, error_text

Convert = Callable[[GraphModule], object]
CALLS = (
    re.compile(r"While executing %\w+ .*?target=torch\.ops\.(\w+\.\w+)"),
    re.compile(r"Operator torch\._ops\.(\w+\.\w+)\.\w+ is not in Core ATen opset"),
)
"""How errors name the call that they are about: of an interpreter of PyTorch's graphs, and of ExecuTorch."""
UNKNOWN = re.compile(r"Lowering not found|Number of input tokens|is not in Core ATen opset")
"""What LiteRT's converter says of an operator that it has not, and of one that checks for errors; and ExecuTorch's."""


def missing(
    runtime: str, network: nn.Module, x: tuple[Tensor, ...], convert: Convert, error: Exception
) -> NoOperator | None:
    """What a conversion has failed of; None where that is no single call, or PyTorch cannot write the network down.

    Args:
        runtime: as configs name it.
        network: that was to be converted.
        x: its input.
        convert: fails for what cannot be converted.
        error: of the conversion.
    """
    try:
        program: Any = torch.export.export(network, x, strict=False)
        module = program.module(check_guards=False)
        if operator := _operator(error_text(error)):
            return _named(runtime, program, module, operator, error)
        unlike = first_unlike(module, convert)
    except Exception:
        return None  # the error of the conversion says why
    if not unlike:
        return None
    call, own = unlike
    return NoOperator(runtime, _operator(error_text(own)) or name_of(call), origin_of(call), _why(call, own))


def _operator(text: str) -> str:
    """What an error names; "" where it names none."""
    found = next((found for each in CALLS if (found := each.search(text))), None)
    return found[1] if found else ""


def _named(runtime: str, program: Any, module: GraphModule, operator: str, error: Exception) -> NoOperator:
    """Of an operator that an error names, which may be one of several that a call of the network is made of."""
    text, own = error_text(error), [each for each in calls(module) if name_of(each) == operator]
    near = [each for each in calls(module) if each.stack_trace and each.stack_trace in text]
    call = next(iter([*(each for each in own if each in near), *own, *near]), None) or _within(program, operator)
    return NoOperator(runtime, operator, origin_of(call) if call else user_line(text), _why(call, error))


def _within(program: Any, operator: str) -> Node | None:
    """The first call of an operator among those that the calls of a network are made of."""
    try:
        parts = calls(program.run_decompositions().graph_module)
    except Exception:
        return None
    return next((each for each in parts if name_of(each) == operator), None)


def _why(call: Node | None, error: Exception) -> str:
    """Why a call cannot be converted, in plain words where that is known; "" where there is no such operator."""
    text = error_text(error)
    if UNKNOWN.search(text):
        return ""
    values = [call.meta.get("val"), *(each.meta.get("val") for each in call.all_input_nodes)] if call else []
    tensors = [value for value in tree_leaves(values) if isinstance(value, Tensor)]
    if "complex" in text or any(value.is_complex() for value in tensors):
        return "it has no complex numbers"
    if any(isinstance(length, torch.SymInt) for value in tensors for length in value.shape):
        return "how many numbers there are depends on the values of an input"
    return describe_error(error)


def name_of(call: Node) -> str:
    """As PyTorch names the operator: "aten.linalg_inv"."""
    return ".".join(str(call.target).split(".")[:2])


def origin_of(call: Node) -> str:
    """Where a call comes from: "module encoder.0 (Block), my_net.py:12", as far as that is known."""
    path, kind = next(reversed(call.meta.get("nn_module_stack", {}).values()), ("", ""))
    path = path.removeprefix("L['self']").removeprefix(".")
    kind = kind if isinstance(kind, str) else kind.__qualname__
    module = f"module {path} ({kind.rpartition('.')[2]})" if path else ""
    return ", ".join(filter(None, (module, user_line(call.stack_trace or ""))))


def calls(module: GraphModule) -> list[Node]:
    """The operators that a network calls and that give tensors, in order."""
    every = [node for node in module.graph.nodes if node.op == "call_function" and node.target is not getitem]
    return [node for node in every if any(isinstance(own, Tensor) for own in tree_leaves(node.meta.get("val")))]


def first_unlike(module: GraphModule, convert: Convert) -> tuple[Node, Exception] | None:
    """The call up to which a network cannot be converted, while it can up to the one before; and what is said of it.

    Args:
        module: of operators alone, which cannot be converted as a whole.
        convert: fails for what cannot be converted.

    Returns:
        None where its parts can be converted.
    """
    every, said = calls(module), dict[int, Exception]()
    good, bad = 0, len(every)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            convert(until(module, every[middle - 1]))
            good = middle
        except Exception as error:
            bad, said[middle] = middle, error
    return _confirmed(module, convert, every[bad - 1], said.get(bad)) if every else None


def _confirmed(
    module: GraphModule, convert: Convert, call: Node, said: Exception | None
) -> tuple[Node, Exception] | None:
    """A call that was found, unless all but what is behind the last one can be converted."""
    if said is None:
        try:
            convert(until(module, call))
            return None
        except Exception as error:
            said = error
    return call, said


def until(module: GraphModule, last: Node) -> GraphModule:
    """The part of a network up to a call, whose outputs are what no other call of it takes."""
    graph, copies = Graph(), dict[Node, Node]()
    for node in module.graph.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
        if node is last:
            break
    loose = [node for node in copies.values() if node.op == "call_function" and not node.users]
    graph.output(tuple(output for node in loose for output in _outputs(graph, node)))
    return GraphModule(module, graph).eval()


def _outputs(graph: Graph, node: Node) -> list[Node]:
    """What a call gives as outputs of a network: its tensors, complex ones as pairs of numbers."""
    value = node.meta.get("val")
    if isinstance(value, tuple | list):
        parts = [graph.call_function(getitem, (node, place)) for place in range(len(value))]
        pairs = [pair for pair in zip(parts, value, strict=True) if isinstance(pair[1], Tensor)]
    else:
        pairs = [(node, value)] if isinstance(value, Tensor) else []
    pair = torch.ops.aten.view_as_real.default
    return [graph.call_function(pair, (part,)) if own.is_complex() else part for part, own in pairs]
