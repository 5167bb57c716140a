"""Stochastic depth: in training, residual branches are left out at random for each example (Huang et al. 2016)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


class StochasticDepth:
    """Leaves residual branches of a network out while it trains; the network itself stays as it is.

    A module says by `residual_branches` which of its children give what it adds to its input: their output is 0 for
    some examples, and larger for the others, so that its mean stays. Later branches are left out more often, in
    proportion to their place.

    Args:
        network: that is trained.
        rate: how often the last branch is left out, in [0, 1).
    """

    def __init__(self, network: nn.Module, rate: float) -> None:
        parts = [(part, name) for part in network.modules() for name in getattr(part, "residual_branches", ())]
        self.branches = [part.get_submodule(name) for part, name in parts]
        self.rates = [rate * (i + 1) / len(parts) for i in range(len(parts))]
        self._rate = rate

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Branches are left out in the block."""
        with ExitStack() as hooks:
            for branch, rate in zip(self.branches, self.rates, strict=True) if self._rate else ():
                hooks.enter_context(branch.register_forward_hook(partial(_left_out, rate)))
            yield


def _left_out(rate: float, branch: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
    """What a branch gives in training: (n, ...) with rows of 0."""
    if not branch.training:
        return None
    drawn = torch.rand((len(output), *(1,) * (output.ndim - 1)), device=output.device)
    return output * ((drawn >= rate) / (1 - rate)).to(output.dtype)
