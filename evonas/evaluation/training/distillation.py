"""Distillation: a network learns from the outputs of a better one as well (Hinton, Vinyals & Dean 2015)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.inputs import called


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A trained network that another learns from.

    Args:
        network: on the training device, in evaluation mode.
        share: of the loss that is the distance from its outputs, from 0 to 1.
        temperature: by which logits are divided before the softmax.
        classes: whether outputs are logits (n, classes, ...); else they are compared by their squared difference.
    """

    network: nn.Module
    share: float
    temperature: float
    classes: bool

    def mixed(self, loss: Tensor, inputs: Any, output: Tensor) -> Tensor:
        """The loss of a batch, with the teacher's part in it.

        Args:
            loss: of the targets, a scalar.
            inputs: of the networks.
            output: (n, ...) of the one that learns.
        """
        with torch.no_grad():
            wanted = called(self.network, inputs).float()
        return (1 - self.share) * loss + self.share * self._distance(output, wanted)

    def _distance(self, output: Tensor, wanted: Tensor) -> Tensor:
        if not self.classes:
            return F.mse_loss(output, wanted)
        t = self.temperature
        soft, target = F.log_softmax(output / t, 1), F.log_softmax(wanted / t, 1)
        divergence = F.kl_div(soft, target, reduction="none", log_target=True).sum(1)
        return divergence.mean() * t**2  # so that gradients are as large as those of the targets
