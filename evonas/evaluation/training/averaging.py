"""Averaged weights: the mean over the last steps of a training (Izmailov et al. 2018; Polyak & Juditsky 1992), or one
that forgets exponentially."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The mean of a network's state over its last steps; whole numbers, such as counters, are those of the last step.

    Running statistics of normalisation are averaged as weights are.

    Args:
        network: that is trained.
        begin: steps before the first that counts.
        decay: share of an exponential mean that is kept from step to step, less in the first steps (10 / (9 + step) is
            the least weight of a new one), so that a short training is not averaged with its beginning; 0: the plain
            mean.
    """

    def __init__(self, network: nn.Module, begin: int, decay: float = 0.0) -> None:
        self._network, self.begin, self._decay = network, begin, decay
        self.steps = 0
        self._mean: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """To be called behind each step."""
        self.steps += 1
        if (count := self.steps - self.begin) < 1:
            return
        for name, tensor in self._network.state_dict().items():
            if count == 1 or not tensor.is_floating_point():
                self._mean[name] = tensor.detach().clone()
            else:
                self._mean[name].lerp_(tensor, self._weight(count))

    def _weight(self, count: int) -> float:
        """Of the newest of so many steps."""
        return max(1 - self._decay, 10 / (9 + count)) if self._decay else 1 / count

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the averaged weights in the block, where there are any, and its own again behind it."""
        own = {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items() if self._mean}
        self.apply()
        try:
            yield
        finally:
            if own:
                self._network.load_state_dict(own)

    @torch.no_grad()
    def apply(self) -> None:
        """Give the network the averaged weights, where there are any."""
        if self._mean:
            self._network.load_state_dict(self._mean)

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` goes on from."""
        return {"steps": torch.tensor(self.steps), **{f"mean.{name}": mean for name, mean in self._mean.items()}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state of the same network."""
        self.steps = int(state["steps"])
        own = self._network.state_dict()
        self._mean = {
            name: state[f"mean.{name}"].to(tensor.device).clone()
            for name, tensor in own.items()
            if f"mean.{name}" in state
        }
