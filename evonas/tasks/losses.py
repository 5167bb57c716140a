"""The losses that networks are trained with where a task has none of its own."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross entropy of logits (n, classes) and classes (n,)."""
    return F.cross_entropy(output, target, label_smoothing=label_smoothing)


@dataclass(frozen=True, slots=True)
class WeightedCrossEntropy:
    """The cross entropy of logits (n, classes) and classes (n,), its mean weighted by the class of each example.

    Args:
        weights: of the classes, in order.
    """

    weights: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Of a batch; a scalar."""
        weights = on(self.weights, output.device).to(output.dtype)  # zero-cost scores are computed in float64
        return F.cross_entropy(output, target, weights, label_smoothing=label_smoothing)


@lru_cache(maxsize=16)
def on(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    """Numbers on a device, copied there once: a step must not wait for the host, and a CUDA graph cannot."""
    with torch.inference_mode(False):  # a validation pass may be the first to ask, and training saves it for backward
        return torch.tensor(numbers, device=device)


@dataclass(frozen=True, slots=True)
class ErrorInDeviations:
    """The mean squared error of (n, outputs) and (n, outputs), in deviations of the targets of each output.

    Args:
        deviations: of the outputs.
    """

    deviations: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Of a batch; a scalar."""
        return ((output - target) / on(self.deviations, output.device)).square().mean()


def mean_squared_error(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean squared error of (n, outputs) and (n, outputs); values have no labels to smooth."""
    return F.mse_loss(output, target)
