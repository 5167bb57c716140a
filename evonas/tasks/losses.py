"""The losses that networks are trained with where a task has none of its own."""

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross entropy of logits (n, classes) and classes (n,)."""
    return F.cross_entropy(output, target, label_smoothing=label_smoothing)


def mean_squared_error(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean squared error of (n, outputs) and (n, outputs); values have no labels to smooth."""
    return F.mse_loss(output, target)
