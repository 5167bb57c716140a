"""What a forward pass runs, as modules that can be run again by themselves."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_leaves, tree_unflatten

from evonas.latency_tables import describe

Function = Callable[..., Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Modules that run one after another; `details` has the text of each."""

    modules: list[nn.Module]
    texts: list[str]

    def add(self, module: nn.Module, details: str) -> None:
        self.modules.append(module)
        self.texts.append(details)

    def __str__(self) -> str:
        return "+".join(map(describe.readable, self.modules))

    def details(self) -> str:
        return "+".join(self.texts)

    def module(self) -> nn.Module:
        return self.modules[0] if len(self.modules) == 1 else nn.Sequential(*self.modules)


@dataclass(frozen=True, slots=True)
class TensorOf:
    """A tensor's place in the arguments of a call."""

    shape: Shape
    dtype: torch.dtype

    def __repr__(self) -> str:
        return "x".join(map(str, self.shape)) or "scalar"


@dataclass(frozen=True, slots=True)
class Call:
    """A function or module, and the arguments that it was called with.

    Args:
        function: what was called.
        leaves: its arguments, flat; `TensorOf` in the place of each tensor.
        spec: the structure of the arguments.
        at: which leaf is the block's input.
        plain: whether the first axis of that input is the batch.
    """

    function: Function
    leaves: list[Any]
    spec: TreeSpec
    at: int
    plain: bool

    def __str__(self) -> str:
        args, kwargs = tree_unflatten(self.leaves, self.spec)
        given = [*map(describe.text, args), *(f"{name}={describe.text(value)}" for name, value in kwargs.items())]
        own = self.function
        return f"{describe.readable(own) if isinstance(own, nn.Module) else describe.name(own)}({', '.join(given)})"

    def details(self) -> str:
        dtypes = [leaf.dtype for leaf in self.leaves if isinstance(leaf, TensorOf)]
        own = describe.details(self.function) if isinstance(self.function, nn.Module) else ""
        return f"{self} {self.at} {dtypes} {own}"

    def module(self) -> nn.Module:
        return Replay(self)

    def __deepcopy__(self, memo: object) -> "Call":
        return self


class Replay(nn.Module):
    """A call again: of the block's input, and of ones in the place of all other tensors."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call, self.function = call, call.function
        self.others = [i for i, leaf in enumerate(call.leaves) if isinstance(leaf, TensorOf) and i != call.at]
        for i in self.others:
            self.register_buffer(f"tensor_{i}", torch.ones(call.leaves[i].shape, dtype=call.leaves[i].dtype))

    def forward(self, x: Tensor) -> Any:
        call = self.call
        leaves = list(call.leaves)
        shape = leaves[call.at].shape
        leaves[call.at] = x if call.plain else x.flatten()[: math.prod(shape)].view(shape)
        for i in self.others:
            leaves[i] = self.get_buffer(f"tensor_{i}")
        args, kwargs = tree_unflatten(leaves, call.spec)
        return self.function(*args, **kwargs)

    def extra_repr(self) -> str:
        return str(self.call)


class First(nn.Module):
    """The first tensor of what a module gives, e.g. the sequence of a GRU: runtimes and checks take one output."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return next(leaf for leaf in tree_leaves(self.module(x)) if isinstance(leaf, Tensor))
