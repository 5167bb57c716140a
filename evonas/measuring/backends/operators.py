"""Which operator of a network a converter cannot convert: found in the exported network, for its error may not say."""

import re
from typing import Any

import torch
from torch import Tensor, nn
from torch._decomp import decomposition_table
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_leaves

from evonas.measuring.backends.conversion import NoOperator, user_line
from evonas.measuring.backends.graph_parts import Convert, calls, first_unlike
from evonas.measuring.backends.refused import GIVEN, Refused
from evonas.text import describe_error, error_text

CALLS = (
    re.compile(r"While executing %\w+ .*?target=torch\.ops\.(\w+\.\w+)"),
    re.compile(r"Operator torch\._ops\.(\w+\.\w+)\.\w+ is not in Core ATen opset"),
    re.compile(r"No ONNX function found for <OpOverload\(op='(\w+\.\w+)'"),
    re.compile(r"Exporting the operator '(\w+::\w+)' to ONNX"),
    re.compile(r"Error when translating node %\w+ .*?target=torch\.ops\.(\w+\.\w+)"),
    re.compile(r"the call of (\w+\.\w+)\.\w+ cannot be sent"),
)
"""How errors name the call that they are about: of an interpreter of PyTorch's graphs, ExecuTorch, ONNX, and
`aten_graph`."""
UNSENT = re.compile(r"cannot be sent: (.*)")
UNKNOWN = re.compile(
    r"Lowering not found|Number of input tokens|is not in Core ATen opset|Didn't find op for|has no kernel for"
    r"|No ONNX function found|to ONNX opset version"
)
"""What LiteRT's converter says of an operator that it has not, and of one that checks for errors; ExecuTorch's; their
runtimes of what a file calls; and ONNX's converter."""
REFUSED = re.compile(r"cannot run this call of \w+::\w+: (Check failed .*)")
"""What ExecuTorch's kernels say of what they are called with."""
ORDERS = re.compile(r"dim.order|contiguous")
COMPLEX = "it has no complex numbers"


def missing(
    runtime: str,
    network: nn.Module,
    x: tuple[Tensor, ...],
    convert: Convert,
    error: Exception,
    does: str = "convert",
) -> NoOperator | None:
    """What a conversion has failed of; None where that is no single call, or PyTorch cannot write the network down.

    Args:
        runtime: as configs name it.
        network: that was to be converted.
        x: its input.
        convert: fails for what cannot be converted.
        error: of the conversion.
        does: what the runtime cannot: "convert" or "run".
    """
    try:
        program, module = _exported(network, x)
        if operator := _operator(error_text(error)):
            return _named(runtime, program, module, operator, error, does)
        unlike = first_unlike(module, convert)
    except Exception:
        return None  # the error of the conversion says why
    if not unlike:
        return None
    call, own = unlike
    return _about(runtime, module, _operator(error_text(own)) or name_of(call), call, own, does)


def _about(
    runtime: str, module: GraphModule, operator: str, call: Node | None, error: Exception, does: str
) -> NoOperator:
    """Of complex numbers the first call that gives some, and not the one behind it that cannot take them."""
    why = _why(call, error)
    if why == COMPLEX and (first := next(filter(_gives_complex, calls(module)), None)):
        operator, call = name_of(first), first
    return NoOperator(runtime, operator, origin_of(call) if call else user_line(error_text(error)), why, does)


def _gives_complex(call: Node) -> bool:
    parts = tree_leaves(call.meta.get("val"))
    return any(isinstance(part, Tensor) and part.is_complex() for part in parts)


def _exported(network: nn.Module, x: tuple[Tensor, ...]) -> tuple[Any, GraphModule]:
    program: Any = torch.export.export(network, x, strict=False)
    return program, program.module(check_guards=False)


def by_name(form: str, network: nn.Module, x: tuple[Tensor, ...], error: Exception, does: str = "convert") -> Exception:
    """What a conversion has failed of: the call of an operator that its errors name, or else the error itself.

    Args:
        form: for people, what the network was to become, such as "ONNX".
        network: that was to be converted.
        x: its input.
        error: of the conversion.
        does: what cannot be done: "convert" or "send".
    """
    chain: list[Any] = [error]
    while chain[0].__cause__ is not None:
        chain.insert(0, chain[0].__cause__)
    operator = next(filter(None, (_operator(error_text(each)) for each in chain)), "")
    if not operator:
        return error
    try:
        return _named(form, *_exported(network, x), operator, chain[0], does)
    except Exception:
        return error  # it says why


def _operator(text: str) -> str:
    """What an error names; "" where it names none."""
    found = next((found for each in CALLS if (found := each.search(text))), None)
    return found[1].replace("::", ".") if found else ""


def _named(runtime: str, program: Any, module: GraphModule, operator: str, error: Exception, does: str) -> NoOperator:
    """Of an operator that an error names, which may be one of several that a call of the network is made of."""
    text, own = error_text(error), [each for each in calls(module) if _bare(name_of(each)) == _bare(operator)]
    near = [each for each in calls(module) if each.stack_trace and each.stack_trace in text]
    call = next(iter([*(each for each in own if each in near), *own, *near]), None) or _within(program, operator)
    return _about(runtime, module, name_of(call) if call and call in own else operator, call, error, does)


def _bare(operator: str) -> str:
    """Some are made of one of the same name, "aten.special_bessel_j0" of "prims.bessel_j0"."""
    return operator.rpartition(".")[2].removeprefix("special_")


def _within(program: Any, operator: str) -> Node | None:
    """The first call of an operator among those that the calls of a network are made of; a converter may take them
    further apart than PyTorch does where it is not told."""
    for table in (None, decomposition_table):
        try:
            parts = calls(program.run_decompositions(table and dict(table)).graph_module)
        except Exception:
            continue
        if found := next((each for each in parts if name_of(each) == operator), None):
            return found
    return None


def _why(call: Node | None, error: Exception) -> str:
    """Why a call cannot be converted, in plain words where that is known; "" where there is no such operator."""
    text = error_text(error)
    if isinstance(error, Refused):
        return error.why.replace(GIVEN, _types(call) or GIVEN)
    if unsent := UNSENT.search(text):
        return unsent[1]
    if UNKNOWN.search(text):
        return ""
    values = [call.meta.get("val"), *(each.meta.get("val") for each in call.all_input_nodes)] if call else []
    tensors = [value for value in tree_leaves(values) if isinstance(value, Tensor)]
    if "complex" in text or any(value.is_complex() for value in tensors):
        return COMPLEX
    if any(isinstance(length, torch.SymInt) for value in tensors for length in value.shape):
        return "how many numbers there are depends on the values of an input"
    if refused := REFUSED.search(text):
        order = "the order of its axes in memory, such as channels last: " if ORDERS.search(refused[1]) else ""
        return f"its kernel refuses what it is given, {order}{refused[1].strip(': ')}"
    return describe_error(error).rstrip(".")


def _types(call: Node | None) -> str:
    """Of the tensors that a call takes: "bool, float64"."""
    values = tree_leaves([each.meta.get("val") for each in call.all_input_nodes]) if call else []
    names = {str(value.dtype).removeprefix("torch.") for value in values if isinstance(value, Tensor)}
    return ", ".join(sorted(names))


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
