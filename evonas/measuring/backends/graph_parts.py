"""Parts of an exported network: the call up to which it can be converted is found by halving it."""

from collections.abc import Callable, Sequence
from operator import getitem

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.utils._pytree import tree_leaves

Convert = Callable[[GraphModule], object]


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
    loose = [(own, node) for own, node in copies.items() if node.op == "call_function" and not node.users]
    needed = [(own, node) for own, node in loose if own.target is not getitem or own.users]
    graph.output(tuple(output for own, node in needed for output in _outputs(graph, node, _taken(own))))
    return GraphModule(module, graph).eval()


def _taken(node: Node) -> list[int]:
    """Which of several outputs of a call the network goes on with; without the others it may be converted otherwise."""
    parts = [user for user in node.users if user.target is getitem and user.users]
    return sorted({place for user in parts if isinstance(place := user.args[1], int)})


def _outputs(graph: Graph, node: Node, taken: Sequence[int]) -> list[Node]:
    """What a call gives as outputs of a network: its tensors, complex ones as pairs of numbers."""
    value = node.meta.get("val")
    if isinstance(value, tuple | list):
        parts = {place: graph.call_function(getitem, (node, place)) for place in taken or range(len(value))}
        pairs = [(part, value[place]) for place, part in parts.items() if isinstance(value[place], Tensor)]
    else:
        pairs = [(node, value)] if isinstance(value, Tensor) else []
    pair = torch.ops.aten.view_as_real.default
    return [graph.call_function(pair, (part,)) if own.is_complex() else part for part, own in pairs]
