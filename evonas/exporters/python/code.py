"""A graph as Python code: the layers in `__init__`, what happens to the input in `forward`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node

from evonas.exporters.python.layers import expression

FREED = re.compile(r";(  \w+ =)?[\w =]* = None$")
"""What torch.fx writes behind a line to let go of values."""
KNOWN = {"torch", "device", "inf", "nan", "NoneType", "fx_pytree", "pytree"}
"""Names that torch.fx knows of itself; any other one is code of somebody's own."""
IMPORTS = {"device": "from torch import device", "inf": "from math import inf", "nan": "from math import nan"}
TAKEN = {"self", "load", "Network", "torch", "nn", *IMPORTS}


class NotPlain(ValueError):
    """The graph calls what is not torch's. The message is one line."""


@dataclass(frozen=True, slots=True)
class Code:
    """A network as text.

    Args:
        imports: lines beside `import torch` and `from torch import nn`.
        init: lines of `__init__`, without their indent.
        arguments: of `forward`.
        forward: lines of `forward`, without their indent.
        weights: the state of the class that these lines are, by name.
    """

    imports: list[str]
    init: list[str]
    arguments: list[str]
    forward: list[str]
    weights: Mapping[str, Tensor]


def code(traced: GraphModule) -> Code:
    """Write a graph down.

    Args:
        traced: its layers are such that an expression makes them again; nodes know their shapes.

    Raises:
        NotPlain: it calls what is not torch's.
    """
    names = _names(traced)
    graph, shapes = _renamed(traced.graph, names)
    written = graph.python_code("self")
    if others := set(written.globals) - KNOWN:
        raise NotPlain(f"{', '.join(sorted(others))} is not torch's")
    lines = written.src[written.src.index("def forward(") :].rstrip().split("\n")[1:]
    body = [_commented(line, shapes) for line in _in_place([FREED.sub("", line.strip()) for line in lines], graph)]
    imports = [text for name, text in IMPORTS.items() if re.search(rf"(?<![\w.]){name}\b", " ".join(body))]
    arguments = [node.name for node in graph.nodes if node.op == "placeholder"]
    init = [_made(traced, target, name) for target, name in names.items()]
    return Code(imports, init, arguments, [line for line in body if line], dict(_weights(traced, names)))


def _names(traced: GraphModule) -> dict[str, str]:
    """Target of a node -> the name of the attribute that it becomes, in order of use."""
    found: dict[str, str] = {}
    free = set(dir(nn.Module())) | TAKEN
    traced.graph.eliminate_dead_code()
    for node in traced.graph.nodes:
        if node.op in ("call_module", "get_attr") and node.target not in found:
            found[node.target] = _name(node.target, free)
            free.add(found[node.target])
    return found


def _name(target: str, taken: set[str]) -> str:
    short = re.sub(r"\W", "_", re.sub(r"^(network\.)+", "", target))
    short = f"layer_{short}" if short[0].isdigit() else short
    name, number = short, 2
    while name in taken or iskeyword(name):
        name, number = f"{short}_{number}", number + 1
    return name


def _renamed(graph: Graph, names: Mapping[str, str]) -> tuple[Graph, dict[str, str]]:
    """The graph with attributes of these names, values called as the layers that give them, and the values' shapes."""
    new, made, shapes = Graph(), dict[Node, Node](), dict[str, str]()
    for node in graph.nodes:
        target = names.get(node.target, node.target) if node.op in ("call_module", "get_attr") else node.target
        args, kwargs = (torch.fx.map_arg(values, made.__getitem__) for values in (node.args, node.kwargs))
        own = (
            str(target)
            if node.op in ("call_module", "placeholder")
            else f"of_{target}"
            if node.op == "get_attr"
            else node.name
        )
        made[node] = new.create_node(node.op, target, args, kwargs, own)
        if node.op == "placeholder":
            made[node].target = made[node].name  # which is none that Python or torch has
        if shape := _shape(node):
            shapes[made[node].name] = shape
    return new, shapes


def _in_place(lines: list[str], graph: Graph) -> list[str]:
    """The lines with `self.weight` where it is used, and not under another name before."""
    for node in graph.find_nodes(op="get_attr"):
        lines.remove(f"{node.name} = self.{node.target}")
        lines = [re.sub(rf"(?<![\w.]){node.name}\b(?! =)", f"self.{node.target}", line) for line in lines]
    return lines


def _shape(node: Node) -> str:
    shape = getattr(node.meta.get("tensor_meta"), "shape", None)
    if node.op in ("placeholder", "output", "get_attr") or not shape:
        return ""
    return f"({', '.join(['N', *map(str, shape[1:])])}{',' if len(shape) == 1 else ''})" if shape[0] == 2 else ""


def _commented(line: str, shapes: Mapping[str, str]) -> str:
    shape = shapes.get(line.partition(" = ")[0])
    return f"{line}  # {shape}" if shape else line


def _made(traced: GraphModule, target: str, name: str) -> str:
    part = _found(traced, target)
    if isinstance(part, nn.Module):
        made = expression(part)
        if made is None:
            raise NotPlain(f"{type(part).__name__} is not torch's")
        return f"self.{name} = {made}"
    kind = "" if part.dtype == torch.float32 else f", dtype={part.dtype}"
    empty = f"torch.empty({', '.join(map(str, part.shape)) or '()'}{kind})"
    if isinstance(part, nn.Parameter) and part.is_floating_point():
        return f"self.{name} = nn.Parameter({empty})"
    return f'self.register_buffer("{name}", {empty})'


def _weights(traced: GraphModule, names: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
    for target, name in names.items():
        part = _found(traced, target)
        if isinstance(part, nn.Module):
            yield from ((f"{name}.{key}", tensor) for key, tensor in part.state_dict().items())
        else:
            yield name, part.detach()


def _found(traced: GraphModule, target: str) -> Any:
    found: Any = traced
    for name in target.split("."):
        found = getattr(found, name)
    return found
