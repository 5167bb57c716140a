"""SGD, AdamW and Muon by torch's own functions, without its optimiser classes.

Those import torch's compiler (`torch._dynamo`) with the first step: 3 s of a processor and 70 MB in each process that
trains (torch 2.13), which on a cluster is each worker.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from evonas.config import TrainingConfig
from evonas.evaluation.training.muon import hidden_matrices, muon


class Group(NamedTuple):
    """Parameters that are updated alike: `rate` is in multiples of the learning rate."""

    parameters: list[Tensor]
    weight_decay: float
    rate: float
    muon: bool = False


class Optimizer:
    """SGD with Nesterov momentum, AdamW, or Muon, which leaves to AdamW what is no hidden matrix. Biases and norms
    (vectors and scalars) do not decay.

    Args:
        network: the one that is trained; its parameters that need a gradient.
        config: which of them, its learning rate, momentum and weight decay.
        fused: one kernel updates a group, of which nothing waits for the host: the learning rate is a tensor on the
            device, and a step whose gradients overflowed is left out there.
    """

    def __init__(self, network: nn.Module, config: TrainingConfig, fused: bool = False) -> None:
        self.groups = _groups(network, config)
        device = next((p.device for group in self.groups for p in group.parameters), torch.device("cpu"))
        self._factors = torch.tensor([group.rate for group in self.groups], device=device)
        self._rates = torch.zeros_like(self._factors)
        self._fused = fused
        self._found_inf: Tensor | None = None
        self.rate = config.learning_rate
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        """Parameter -> what is kept for it from step to step, by the names that torch's classes have for it."""
        self._momentum = config.momentum
        self._update = self._sgd if config.optimizer == "sgd" else self._adamw

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate
        if self._fused:
            torch.mul(self._factors, rate, out=self._rates)

    def zero_grad(self) -> None:
        for group in self.groups:
            for parameter in group.parameters:
                parameter.grad = None

    @torch.no_grad()
    def step(self, found_inf: Tensor | None = None) -> None:
        """One update of all parameters that have a gradient.

        Args:
            found_inf: a scalar on the device, 1 where a gradient overflowed and nothing is updated; for a fused one.
        """
        self._found_inf = found_inf
        for index, group in enumerate(self.groups):
            if trained := [p for p in group.parameters if p.grad is not None]:
                rate = self._rates[index] if self._fused else self.rate * group.rate
                update = self._muon if group.muon else self._update
                update(trained, [p.grad for p in trained if p.grad is not None], group.weight_decay, rate)

    def state_dict(self) -> dict[str, Tensor]:
        """The state as tensors alone, named INDEX.NAME with the index of the parameter."""
        order = {parameter: i for i, parameter in enumerate(self._parameters())}
        return {f"{order[p]}.{name}": t for p, kept in self.state.items() for name, t in kept.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over the state of an optimiser of the same network.

        Raises:
            ValueError: it is of another network.
        """
        parameters = self._parameters()
        self.state = {}
        for key, tensor in state.items():
            index, name = key.split(".", 1)
            if int(index) >= len(parameters):
                raise ValueError(f"there is no parameter {index}")
            parameter = parameters[int(index)]
            if name != "step" and tensor.shape != parameter.shape:
                raise ValueError(f"{name} of parameter {index} has another shape")
            if name == "step":
                kept = self._count(parameter, tensor)
            else:
                kept = torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            self.state.setdefault(parameter, {})[name] = kept

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.groups for parameter in group.parameters]

    def _count(self, parameter: Tensor, steps: Tensor) -> Tensor:
        """AdamW's count of steps, where its kernel wants it: on the host, or of a fused one beside the parameter."""
        return steps.to(parameter.device if self._fused else "cpu", copy=True)

    def _sgd(self, parameters: list[Tensor], gradients: list[Tensor], weight_decay: float, rate: Any) -> None:
        if self._fused and self._momentum:  # which takes buffers for all or for none; its first step makes them
            for parameter in parameters:
                self.state.setdefault(parameter, {"momentum_buffer": torch.zeros_like(parameter, requires_grad=False)})
        buffers: list[Any] = [self.state.get(p, {}).get("momentum_buffer") for p in parameters]
        sgd(
            parameters,
            gradients,
            buffers,
            fused=self._fused,
            found_inf=self._found_inf,
            weight_decay=weight_decay,
            momentum=self._momentum,
            lr=rate,
            dampening=0.0,
            nesterov=self._momentum > 0,
            maximize=False,
        )
        if self._momentum:
            for parameter, buffer in zip(parameters, buffers, strict=True):
                self.state.setdefault(parameter, {})["momentum_buffer"] = buffer

    def _adamw(self, parameters: list[Tensor], gradients: list[Tensor], weight_decay: float, rate: Any) -> None:
        for p in parameters:
            if p not in self.state:
                averages = {name: torch.zeros_like(p, requires_grad=False) for name in ("exp_avg", "exp_avg_sq")}
                self.state[p] = {"step": self._count(p, torch.tensor(0.0)), **averages}
        kept = {name: [self.state[p][name] for p in parameters] for name in ("step", "exp_avg", "exp_avg_sq")}
        adamw(
            parameters,
            gradients,
            kept["exp_avg"],
            kept["exp_avg_sq"],
            [],
            kept["step"],
            fused=self._fused,
            found_inf=self._found_inf,
            amsgrad=False,
            beta1=self._momentum,
            beta2=0.999,
            lr=rate,
            weight_decay=weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def _muon(self, parameters: list[Tensor], gradients: list[Tensor], weight_decay: float, rate: Any) -> None:
        for p in parameters:
            self.state.setdefault(p, {"momentum_buffer": torch.zeros_like(p, requires_grad=False)})
        muon(
            parameters,
            gradients,
            [self.state[p]["momentum_buffer"] for p in parameters],
            momentum=self._momentum,
            weight_decay=weight_decay,
            lr=rate,
            found_inf=self._found_inf,
        )


def _groups(network: nn.Module, config: TrainingConfig) -> list[Group]:
    """Weights; other vectors and scalars; where they learn at a rate of their own, the biases of BatchNorm; and what
    Muon is for."""
    parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
    apart = config.batchnorm_bias_rate != 1
    shifts = {m.bias for m in network.modules() if apart and isinstance(m, _BatchNorm) and m.bias is not None}
    hidden = hidden_matrices(network) if config.optimizer == "muon" else set()
    return [
        Group([p for p in parameters if p.ndim > 1 and p not in hidden], config.weight_decay, 1.0),
        Group([p for p in parameters if p.ndim <= 1 and p not in shifts], 0.0, 1.0),
        *([Group([p for p in parameters if p in shifts], 0.0, config.batchnorm_bias_rate)] if apart else []),
        *([Group([p for p in parameters if p in hidden], config.weight_decay, 1.0, muon=True)] if hidden else []),
    ]
