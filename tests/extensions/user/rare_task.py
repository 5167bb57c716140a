"""A task of one's own with classes of unequal size: F1, the area under the ROC curve, and a metric of one's own."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from evonas import Split, Splits, Task, classification
from evonas.tasks import TASKS, TaskMetric, divided
from evonas.tasks.metrics import directions


def wrong_and_class(output: Tensor, target: Tensor) -> Tensor:
    """(n, 2) 1 where the prediction is wrong, and the class."""
    return torch.stack([(output.argmax(1) != target).float(), target.float()], 1)


def worst(statistics: Tensor) -> Tensor:
    """The largest error rate of a class: a number of all examples at once, and no mean of theirs."""
    wrong, classes = statistics.unbind(1)
    return torch.stack([wrong[classes == c].mean() for c in classes.unique()]).max()


def rare(*, examples: int = 600) -> Task:
    """Images of noise with a bright row: at the top (4 of 6), in the middle, or at the bottom (1 of 6 each)."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, examples, p=[4 / 6, 1 / 6, 1 / 6])
    x = rng.normal(size=(examples, 1, 8, 8)).astype(np.float32)
    x[np.arange(examples), 0, np.array([0, 3, 7])[y]] += 1.5
    splits = Splits(*divided(Split(x, y), (0.3, 0.2), seed=0))
    task = classification("rare", splits, metrics=("f1", "auc", "error"))
    metrics = {**task.metrics, "worst_error": TaskMetric(wrong_and_class, worst)}
    return replace(task, spec=replace(task.spec, metrics=directions(metrics)), metrics=metrics)


TASKS["rare"] = rare
