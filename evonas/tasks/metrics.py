"""How good a network is at a task: numbers of each validation example, and what becomes of all of them.

A metric need not be a mean of one number an example: F1 and the area under a curve are functions of all examples at
once. So a metric gives statistics of each example, which batches are joined by, and reduces those of all examples.
Where a metric is standard, torchmetrics computes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from evonas.records import check_direction

Statistics = Callable[[Tensor, Tensor], Tensor]
"""(output (n, *output_shape), target (n, ...)) -> (n,) or (n, k) numbers of each example."""
Reduction = Callable[[Tensor], Tensor]
"""(N, k) statistics of all examples -> the metric, a scalar."""


def mean(statistics: Tensor) -> Tensor:
    """The mean of the first statistic over (N, k)."""
    return statistics[:, 0].double().mean()


@dataclass(frozen=True, slots=True)
class TaskMetric:
    """A metric of a task.

    Args:
        statistics: of each example of a batch; computed where the network runs.
        reduce: the statistics of all examples -> the metric.
        direction: "minimize" or "maximize".
        share: each example is right or wrong, 1 or 0, and the metric is the mean: a share of the examples, which has a
            binomial interval.

    Raises:
        ValueError: the direction is another, or one of the first two is no function.
    """

    statistics: Statistics
    reduce: Reduction = mean
    direction: str = "minimize"
    share: bool = False

    def __post_init__(self) -> None:
        check_direction(self.direction)
        for name in ("statistics", "reduce"):
            if not callable(getattr(self, name)):
                raise ValueError(f"TaskMetric: {name} is a function, not {getattr(self, name)!r}")


def reduction(metric: TaskMetric) -> str:
    """How a metric follows from one number an example: "mean" or "root_mean"; empty where it is another function.

    Only of the first two it is known what they would be on other examples.
    """
    return next((name for name, known in REDUCTIONS.items() if metric.reduce is known), "")


def directions(metrics: Mapping[str, TaskMetric]) -> dict[str, str]:
    """Name -> direction, as a `TaskSpec` has them.

    Raises:
        ValueError: one of them is no `TaskMetric`.
    """
    for name, metric in metrics.items():
        if not isinstance(metric, TaskMetric):
            raise ValueError(f"metric {name} is a {type(metric).__name__}, not a TaskMetric: give TaskMetric(FUNCTION)")
    return {name: metric.direction for name, metric in metrics.items()}


def error(output: Tensor, target: Tensor) -> Tensor:
    """(n,) 1 where the largest of the logits (n, classes) is not the class, else 0; its mean is the error rate."""
    return (output.argmax(1) != target).float()


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """(n,) 1 where the largest of the logits (n, classes) is the class, else 0."""
    return (output.argmax(1) == target).float()


def surprise(output: Tensor, target: Tensor) -> Tensor:
    """(n,) minus the logarithm of the softmax at the class, in nats; its mean is the log loss."""
    return F.cross_entropy(output, target, reduction="none")


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """(n,) squared error of each example, mean over its outputs."""
    return (output - target).square().flatten(1).mean(1)


def absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """(n,) absolute error of each example, mean over its outputs."""
    return (output - target).abs().flatten(1).mean(1)


def predicted_and_true(output: Tensor, target: Tensor) -> Tensor:
    """(n, 2) the class with the largest of the logits (n, classes), and the class."""
    return torch.stack([output.argmax(1), target], 1)


def probabilities_and_true(output: Tensor, target: Tensor) -> Tensor:
    """(n, classes + 1) the softmax of the logits, and the class."""
    return torch.cat([output.softmax(1), target[:, None].to(output.dtype)], 1)


def values_and_true(output: Tensor, target: Tensor) -> Tensor:
    """(n, 2 x outputs) predicted values, then the values."""
    return torch.cat([output.flatten(1), target.flatten(1)], 1)


def root_mean(statistics: Tensor) -> Tensor:
    """The root of the mean of the first statistic."""
    return mean(statistics).sqrt()


def macro_f1(statistics: Tensor, classes: int) -> Tensor:
    """The mean of the F1 scores of all classes, from `predicted_and_true`."""
    from torchmetrics.functional.classification import multiclass_f1_score

    predicted, true = statistics.long().unbind(1)
    return multiclass_f1_score(predicted, true, num_classes=classes, average="macro")


def macro_precision(statistics: Tensor, classes: int) -> Tensor:
    """The mean of the precisions of all classes, from `predicted_and_true`."""
    from torchmetrics.functional.classification import multiclass_precision

    predicted, true = statistics.long().unbind(1)
    return multiclass_precision(predicted, true, num_classes=classes, average="macro")


def balanced_error(statistics: Tensor, classes: int) -> Tensor:
    """1 minus the mean of the recalls of the classes that are there, from `predicted_and_true`."""
    from torchmetrics.functional.classification import multiclass_recall

    predicted, true = statistics.long().unbind(1)
    recalls = multiclass_recall(predicted, true, num_classes=classes, average="none")
    return 1 - recalls[torch.bincount(true, minlength=classes) > 0].double().mean()


def average_precision(statistics: Tensor, classes: int) -> Tensor:
    """The mean over classes of the area under the curve of precision and recall, from `probabilities_and_true`; of
    classes that no example has, or all have, there is none, and NaN where there is no other."""
    from torchmetrics.functional.classification import binary_average_precision, multiclass_average_precision

    probabilities, true = statistics[:, :-1].float(), statistics[:, -1].long()
    if len(there := torch.unique(true)) == classes > 1:
        return multiclass_average_precision(probabilities, true, num_classes=classes, average="macro")
    return _mean_of_each(binary_average_precision, probabilities, true, there)


def macro_auc(statistics: Tensor, classes: int) -> Tensor:
    """The mean over classes of the area under the ROC curve of one against all, from `probabilities_and_true`; as of
    `average_precision`, over the classes that have one."""
    from torchmetrics.functional.classification import binary_auroc, multiclass_auroc

    probabilities, true = statistics[:, :-1].float(), statistics[:, -1].long()
    if len(there := torch.unique(true)) == classes > 1:
        return multiclass_auroc(probabilities, true, num_classes=classes, average="macro")
    return _mean_of_each(binary_auroc, probabilities, true, there)


def _mean_of_each(
    metric: Callable[[Tensor, Tensor], Tensor], probabilities: Tensor, true: Tensor, there: Tensor
) -> Tensor:
    """Of the classes that are there one against all; NaN where it is one."""
    if len(there) < 2:
        return torch.tensor(float("nan"))
    return torch.stack([metric(probabilities[:, each], (true == each).long()) for each in there.tolist()]).mean()


def r_squared(statistics: Tensor) -> Tensor:
    """The coefficient of determination, mean over outputs, from `values_and_true`."""
    from torchmetrics.functional.regression import r2_score

    predicted, true = statistics.double().chunk(2, dim=1)
    return r2_score(predicted, true)


REDUCTIONS: Mapping[str, Reduction] = {"mean": mean, "root_mean": root_mean}
"""Name -> how a metric follows from the first statistic alone."""

CLASSIFICATION_METRICS: dict[str, Callable[[int], TaskMetric]] = {
    "error": lambda classes: TaskMetric(error, share=True),
    "accuracy": lambda classes: TaskMetric(accuracy, direction="maximize", share=True),
    "f1": lambda classes: TaskMetric(predicted_and_true, partial(macro_f1, classes=classes), "maximize"),
    "precision": lambda classes: TaskMetric(predicted_and_true, partial(macro_precision, classes=classes), "maximize"),
    "balanced_error": lambda classes: TaskMetric(predicted_and_true, partial(balanced_error, classes=classes)),
    "log_loss": lambda classes: TaskMetric(surprise),
    "auc": lambda classes: TaskMetric(probabilities_and_true, partial(macro_auc, classes=classes), "maximize"),
    "average_precision": lambda classes: TaskMetric(
        probabilities_and_true, partial(average_precision, classes=classes), "maximize"
    ),
}
"""Name -> the metric for so many classes."""

OF_TWO_CLASSES = {"auc", "average_precision"}
"""Metrics that examples of one class have none of."""

REGRESSION_METRICS: dict[str, TaskMetric] = {
    "mse": TaskMetric(squared_error),
    "rmse": TaskMetric(squared_error, root_mean),
    "mae": TaskMetric(absolute_error),
    "r2": TaskMetric(values_and_true, r_squared, "maximize"),
}
"""Name -> the metric of predicted values."""
