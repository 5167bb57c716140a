"""Loss and metrics of a class for each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from evonas.tasks.class_weights import ClassWeights, weights_of_counts
from evonas.tasks.losses import on
from evonas.tasks.metrics import TaskMetric
from evonas.tasks.task import Array

UNKNOWN = 255
"""The class of a pixel whose class is not known."""


@dataclass(frozen=True, slots=True)
class PixelCrossEntropy:
    """The cross entropy of logits (n, classes, height, width) and classes (n, height, width), its mean over all pixels
    whose class is known, weighted by it.

    Args:
        weights: of the classes, in order; empty: all alike.
    """

    weights: tuple[float, ...] = ()

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Of a batch; a scalar, 0 where no class is known."""
        weights = on(self.weights, output.device).to(output.dtype) if self.weights else None
        classes = target.long()
        each = F.cross_entropy(
            output, classes, weights, ignore_index=UNKNOWN, label_smoothing=label_smoothing, reduction="none"
        )
        known = classes != UNKNOWN
        share = known if weights is None else weights[classes.where(known, 0)] * known
        return each.sum() / share.sum().clamp_min(1e-6)


def pixel_weights(wanted: ClassWeights, counts: Array, names: Sequence[str]) -> tuple[tuple[float, ...], list[str]]:
    """Weights of the classes by their pixels, and a note; neither where none are wanted.

    Args:
        wanted: of the config.
        counts: pixels of each class.
        names: of the classes.

    Raises:
        UserError: as `weights_of`.
    """
    if wanted is None:
        return (), []
    weights, note = weights_of_counts(wanted, counts, names)
    return weights, [note]


def most_frequent(counts: Array, shape: tuple[int, ...]) -> Array:
    """Logits (classes, height, width) that say the class of the most pixels everywhere."""
    output = np.zeros(shape, np.float32)
    output[counts[: shape[0]].argmax()] = 1
    return output


def wrong_pixels(output: Tensor, target: Tensor) -> Tensor:
    """(n,) the share of pixels, of those whose class is known, whose largest logit is not that of their class."""
    known = target != UNKNOWN
    wrong = (output.argmax(1) != target) & known
    return wrong.flatten(1).sum(1) / known.flatten(1).sum(1).clamp_min(1)


def overlaps(output: Tensor, target: Tensor, classes: int) -> Tensor:
    """(n, 2 x classes) pixels of each class in output and mask, then those in one of them or both."""
    known = (target != UNKNOWN)[:, None]
    every = torch.arange(classes, device=output.device)[:, None, None]
    found, true = (output.argmax(1)[:, None] == every) & known, (target[:, None] == every) & known
    return torch.cat([(found & true).sum((2, 3)), (found | true).sum((2, 3))], 1).float()


def mean_iou(statistics: Tensor) -> Tensor:
    """The mean over classes, of those that are somewhere, of intersection over union of the pixels of all examples."""
    both, either = statistics.double().sum(0).chunk(2)
    return (both / either)[either > 0].mean()


def metrics_of(classes: int) -> dict[str, TaskMetric]:
    """By name; `mean_iou` is that of the PASCAL VOC challenge (Everingham et al. 2015)."""
    return {
        "mean_iou": TaskMetric(partial(overlaps, classes=classes), mean_iou, "maximize"),
        "pixel_error": TaskMetric(wrong_pixels),
    }
