"""Updates of a bank: what a step has touched is updated, and all else is left as it is.

An optimiser moves every number of a tensor that has a gradient, if that is 0, too: weight decay shrinks slices that no
network of the step has, and momentum drifts them on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from evonas.config import TrainingConfig
from evonas.supernet.bank import Bank, overlap
from evonas.supernet.places import Place, places

BETA = 0.999
EPSILON = 1e-8
"""Of AdamW."""


@dataclass(slots=True)
class _State:
    """Of one tensor of the bank, in its shape: what a step has gathered, which numbers of it are touched, and what is
    kept from step to step, such as how often each number was updated."""

    gradient: Tensor
    touched: Tensor
    kept: dict[str, Tensor] = field(default_factory=dict)


class BankUpdates:
    """Gathers gradients of networks, and updates the numbers of a bank that these have, once.

    SGD with Nesterov momentum where the config says sgd, else AdamW; each number has its own momentum, and its own
    count of updates. Vectors do not decay.

    Args:
        bank: updated in place.
        config: learning rate, momentum, weight decay and `grad_clip`, which is of the sum of the gradients.
    """

    def __init__(self, bank: Bank, config: TrainingConfig) -> None:
        self._bank, self._config = bank, config
        self._states: dict[str, _State] = {}
        self._now: set[str] = set()  # of which this step has gradients
        self._rule = self._sgd if config.optimizer == "sgd" else self._adamw

    def of(self, network: nn.Module) -> "Gathering":
        """What takes the gradients of one network, which has the bank's weights."""
        return Gathering(self, network)

    def gather(self, place: Place, gradient: Tensor) -> None:
        """Add the gradient of one parameter to that of its place."""
        state = self._state(place)
        self._now.add(place.key)
        there, own = overlap(state.gradient.shape, gradient.shape, place.centred)
        state.gradient[there] += gradient[own]
        state.touched[there] = True

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update what was touched, and begin anew.

        Args:
            rate: the learning rate.
        """
        states = {key: self._states[key] for key in sorted(self._now)}
        self._now.clear()
        scale = self._clipping([state.gradient for state in states.values()])
        for key, state in states.items():
            tensor = self._bank.tensors[key]
            decay = self._config.weight_decay if tensor.ndim > 1 else 0.0
            updated = self._rule(tensor, state.gradient * scale, state, rate, decay)
            tensor.copy_(torch.where(state.touched, updated, tensor))
            state.gradient.zero_()
            state.touched.zero_()

    def _state(self, place: Place) -> _State:
        """Of a place; where its tensor has grown, what was kept grows with it."""
        tensor = self._bank.tensors[place.key]
        known = self._states.get(place.key)
        if known is None or known.gradient.shape != tensor.shape:
            fresh = _State(torch.zeros_like(tensor), torch.zeros_like(tensor, dtype=torch.bool))
            if known is not None:
                there, own = overlap(tensor.shape, known.gradient.shape, place.centred)
                fresh.gradient[there], fresh.touched[there] = known.gradient[own], known.touched[own]
                for name, kept in known.kept.items():
                    fresh.kept[name] = torch.zeros_like(tensor)
                    fresh.kept[name][there] = kept[own]
            self._states[place.key] = known = fresh
        return known

    def _clipping(self, gradients: list[Tensor]) -> Tensor | float:
        if not self._config.grad_clip or not gradients:
            return 1.0
        norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
        return (self._config.grad_clip / (norm + 1e-6)).clamp_max(1.0)

    def _sgd(self, tensor: Tensor, gradient: Tensor, state: _State, rate: float, decay: float) -> Tensor:
        gradient = gradient + decay * tensor
        momentum = self._config.momentum
        buffer = self._moved(state, "momentum", lambda before: momentum * before + gradient)
        return tensor - rate * (gradient + momentum * buffer)

    def _adamw(self, tensor: Tensor, gradient: Tensor, state: _State, rate: float, decay: float) -> Tensor:
        beta = self._config.momentum
        count = self._moved(state, "count", lambda before: before + 1)
        mean = self._moved(state, "mean", lambda before: beta * before + (1 - beta) * gradient)
        square = self._moved(state, "square", lambda before: BETA * before + (1 - BETA) * gradient.square())
        count = count.clamp_min(1)
        step = (mean / (1 - beta**count)) / ((square / (1 - BETA**count)).sqrt() + EPSILON)
        return tensor * (1 - rate * decay) - rate * step

    @staticmethod
    def _moved(state: _State, name: str, how: Callable[[Tensor], Tensor]) -> Tensor:
        """What is kept under a name, moved on where the step has touched it."""
        before = state.kept.setdefault(name, torch.zeros_like(state.gradient))
        before.copy_(torch.where(state.touched, how(before), before))
        return before


class Gathering:
    """In the place of an optimiser of one network: its gradients go to the bank.

    Args:
        updates: of the bank.
        network: which has the bank's weights.
    """

    def __init__(self, updates: BankUpdates, network: nn.Module) -> None:
        self._updates, self._network = updates, network
        self._places = places(network)

    def zero_grad(self) -> None:
        """Forget the gradients of the step before."""
        self._network.zero_grad()

    @torch.no_grad()
    def step(self, found_inf: Tensor | None = None) -> None:
        """Hand the gradients on."""
        for place in self._places:
            if place.parameter.grad is not None:
                self._updates.gather(place, place.parameter.grad)
