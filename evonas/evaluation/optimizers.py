"""SGD and AdamW by torch's own functions, without its optimiser classes.

Those import torch's compiler (`torch._dynamo`) with the first step: 3 s of a processor and 70 MB in each process that
trains (torch 2.13), which on a cluster is each worker.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from evonas.config import TrainingConfig


class Optimizer:
    """SGD with Nesterov momentum, or AdamW. Biases and norms (vectors and scalars) do not decay.

    Args:
        network: the one that is trained; its parameters that need a gradient.
        config: which of the two, its learning rate, momentum and weight decay.
    """

    def __init__(self, network: nn.Module, config: TrainingConfig) -> None:
        parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
        decaying, plain = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
        self.groups = [(decaying, config.weight_decay), (plain, 0.0)]
        """Parameters and their weight decay."""
        self.rate = config.learning_rate
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        """Parameter -> what is kept for it from step to step, by the names that torch's classes have for it."""
        self._momentum = config.momentum
        self._update = self._adamw if config.optimizer == "adamw" else self._sgd

    def zero_grad(self) -> None:
        for parameters, _ in self.groups:
            for parameter in parameters:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One update of all parameters that have a gradient."""
        for parameters, weight_decay in self.groups:
            if trained := [p for p in parameters if p.grad is not None]:
                self._update(trained, [p.grad for p in trained if p.grad is not None], weight_decay)

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
            kept = tensor.clone() if name == "step" else torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            self.state.setdefault(parameter, {})[name] = kept

    def _parameters(self) -> list[Tensor]:
        return [parameter for parameters, _ in self.groups for parameter in parameters]

    def _sgd(self, parameters: list[Tensor], gradients: list[Tensor], weight_decay: float) -> None:
        buffers: list[Any] = [self.state.get(p, {}).get("momentum_buffer") for p in parameters]
        sgd(
            parameters,
            gradients,
            buffers,
            weight_decay=weight_decay,
            momentum=self._momentum,
            lr=self.rate,
            dampening=0.0,
            nesterov=self._momentum > 0,
            maximize=False,
        )
        if self._momentum:
            for parameter, buffer in zip(parameters, buffers, strict=True):
                self.state.setdefault(parameter, {})["momentum_buffer"] = buffer

    def _adamw(self, parameters: list[Tensor], gradients: list[Tensor], weight_decay: float) -> None:
        for p in parameters:
            if p not in self.state:
                averages = {name: torch.zeros_like(p, requires_grad=False) for name in ("exp_avg", "exp_avg_sq")}
                self.state[p] = {"step": torch.tensor(0.0), **averages}
        kept = {name: [self.state[p][name] for p in parameters] for name in ("step", "exp_avg", "exp_avg_sq")}
        adamw(
            parameters,
            gradients,
            kept["exp_avg"],
            kept["exp_avg_sq"],
            [],
            kept["step"],
            amsgrad=False,
            beta1=self._momentum,
            beta2=0.999,
            lr=self.rate,
            weight_decay=weight_decay,
            eps=1e-8,
            maximize=False,
        )
