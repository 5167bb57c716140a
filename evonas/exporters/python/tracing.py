"""A network as a graph: of its layers, which reads well, or of torch's operators, where Python cannot be followed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Tracer
from torch.fx.graph import CodeGen
from torch.fx.passes.shape_prop import ShapeProp

from evonas.exporters.exporter import InOrder, named
from evonas.exporters.python.layers import expression
from evonas.inputs import called, mapped
from evonas.measuring.backends.positional import Positional
from evonas.tasks.shipped import Shipped


def of_layers(network: nn.Module, x: Any) -> GraphModule:
    """A graph of torch's layers and of what is called between them.

    Args:
        network: in evaluation mode on the CPU.
        x: its input with two examples.

    Returns:
        A graph whose placeholders are the inputs in order, and whose nodes know the shapes of what they give.

    Raises:
        Exception: the network looks at values or types of its input, or does else what cannot be followed.
    """
    root = Plain(network, x)
    return _with_shapes(GraphModule(root, Layers(root, _arguments(x)).trace(root)), x)


def of_operators(network: nn.Module, x: Any) -> GraphModule:
    """A graph of torch's operators; see `of_layers`.

    Raises:
        Exception: whatever the network raises, and torch where what is called depends on values of the input.
    """
    parts = tuple(named(x).values())
    ordered = Positional(network, list(x)) if isinstance(x, Mapping) else InOrder(network)
    shapes = {"parts": tuple({0: torch.export.Dim.DYNAMIC} for _ in parts)}
    program = torch.export.export(ordered, parts, dynamic_shapes=shapes)
    found: Any = program.module(check_guards=False)
    found.graph.set_codegen(CodeGen())
    out = found.graph.output_node()
    if isinstance(out.args[0], tuple | list) and len(out.args[0]) == 1:
        out.args = (out.args[0][0],)
    for node in reversed(found.graph.nodes):
        if "_assert" in str(node.target) and not node.users:  # types and devices of the example, which may differ
            found.graph.erase_node(node)
    for node, name in zip(found.graph.find_nodes(op="placeholder"), _arguments(x), strict=True):
        node.name = node.target = name
    found.recompile()
    return _with_shapes(found, x)


def _arguments(x: Any) -> list[str]:
    return list(x) if isinstance(x, Mapping) else ["x"]


def _with_shapes(graph: GraphModule, x: Any) -> GraphModule:
    ShapeProp(graph).propagate(*named(x).values())
    return graph


class Layers(Tracer):
    """A tracer that goes into a module unless one expression makes it again.

    Args:
        network: what is to be traced.
        names: of its inputs.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self._inputs = names
        self._layers = {
            part for part in network.modules() if expression(part)
        }  # a tracer in work changes what they say

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return m in self._layers

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> tuple[Any, list[Any]]:
        """A placeholder for each input: a signature would not say how many there are."""
        return root_fn, [self.root, *(self.create_proxy("placeholder", name, (), {}) for name in self._inputs)]


class Plain(nn.Module):
    """A network without what a tracer cannot follow: inputs by name, and looking at the types of tensors.

    Args:
        network: the network.
        x: its input with two examples.
    """

    def __init__(self, network: nn.Module, x: Any) -> None:
        super().__init__()
        self._names = list(x) if isinstance(x, Mapping) else []
        self._casts: dict[str, torch.dtype] = {}
        if isinstance(network, Shipped):
            self.prepare, self.network = network.prepare, network.network
            dtype = next((weights.dtype for weights in network.network.parameters()), torch.float32)
            given = named(network.prepare(x))
            self._casts = {
                name: dtype for name, part in given.items() if part.is_floating_point() and part.dtype != dtype
            }
        else:
            self.prepare, self.network = nn.Identity(), network

    def forward(self, *parts: Tensor) -> Any:
        x: Any = dict(zip(self._names, parts, strict=True)) if self._names else parts[0]
        if type(self.prepare) is not nn.Identity:  # which a tracer would take for a layer of one tensor
            x = self.prepare(x)
        return called(self.network, self._cast(x))

    def _cast(self, x: Any) -> Any:
        if isinstance(x, Mapping):
            return {name: part.to(self._casts[name]) if name in self._casts else part for name, part in x.items()}
        return mapped(lambda part: part.to(self._casts["input"]) if self._casts else part, x)
