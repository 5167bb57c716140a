"""A network's inputs in order, as tracers want them, where it takes several by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn


class Positional(nn.Module):
    """A network that takes several tensors by name becomes one that takes them in order.

    Args:
        network: called with keyword arguments.
        names: of its inputs.
    """

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, tuple(names)
        self.training = network.training  # a tracer puts the mode of the whole back into all of its parts

    def forward(self, *parts: Tensor) -> Any:
        return self.network(**dict(zip(self.names, parts, strict=True)))


def ordered(network: nn.Module, x: Any) -> nn.Module:
    """A network that takes its inputs in order."""
    return Positional(network, list(x)) if isinstance(x, Mapping) else network


def positional(x: Any) -> tuple[Any, ...]:
    """The inputs in order."""
    return tuple(x.values()) if isinstance(x, Mapping) else (x,)
