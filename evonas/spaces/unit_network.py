"""The last layer of networks whose outputs have units, or start from what they see. See units.py."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from evonas.inputs import called


class InUnits(nn.Module):
    """A network whose outputs are multiplied by deviations, and moved by means: (n, outputs) in the data's own units.

    Args:
        network: which gives numbers around 0.
        units: mean and deviation of each output.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, units: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.network = network
        mean, deviation = (torch.tensor(numbers, dtype=torch.float32) for numbers in zip(*units, strict=True))
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, *parts: Tensor, **named: Tensor) -> Any:
        return called(self.network, named or parts[0]) * self.deviation + self.mean

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "InUnits":
        """Units stay float32 where a network becomes float16, which ends at 65,504."""
        units = {"mean": self.mean, "deviation": self.deviation}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, own in units.items():
            moved = getattr(self, name)
            setattr(self, name, own.to(moved.device) if moved.dtype.itemsize < own.dtype.itemsize else moved)
        return self


def in_units(network: nn.Module, units: Sequence[tuple[float, float]]) -> nn.Module:
    """The network in units; what a space returned that is none is left to whoever finds fault with it."""
    return InUnits(network, units) if isinstance(network, nn.Module) else network


class FromStarts(nn.Module):
    """A network that gives differences: (n, outputs), each added to a number of the input.

    Args:
        network: which takes one tensor (n, ...) of numbers.
        starts: place in the flattened input, for each output.
    """

    starts: Tensor

    def __init__(self, network: nn.Module, starts: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("starts", torch.tensor(starts), persistent=False)

    def forward(self, x: Tensor) -> Any:
        return self.network(x) + x.flatten(1).index_select(1, self.starts)


def from_starts(network: nn.Module, starts: Sequence[int]) -> nn.Module:
    """The network from these starts; what a space returned that is none is left to whoever finds fault with it."""
    return FromStarts(network, starts) if isinstance(network, nn.Module) else network
