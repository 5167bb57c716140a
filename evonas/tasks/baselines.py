"""What a task's metrics are without a network, for people to compare with: the majority class, the last season."""

import math
import warnings
from collections.abc import Mapping

import numpy as np
import torch

from evonas.tasks.metrics import TaskMetric
from evonas.tasks.stored_array import Column, taken
from evonas.tasks.task import Array, Splits

BATCH, NUMBERS = 1024, 2**24
"""Examples that are looked at together, and numbers of their outputs, at most."""


def baseline(
    name: str, metrics: Mapping[str, TaskMetric], splits: Splits, outputs: Mapping[str, Array]
) -> dict[str, dict[str, float]]:
    """What a task's metrics are of outputs that no network gave.

    Args:
        name: of what gave them, for people.
        metrics: of the task.
        splits: the examples.
        outputs: "valid" and "test" -> (n, *output_shape) float32, as a network would give them.

    Returns:
        The name -> metric -> its value on the validation examples, and `test[METRIC]`, that on the test examples;
        without those that are not finite, or not known of such examples, which who tries the metrics says.
    """
    found = {metric: scored(own, outputs["valid"], splits.valid.y) for metric, own in metrics.items()}
    found |= {f"test[{metric}]": scored(own, outputs["test"], splits.test.y) for metric, own in metrics.items()}
    return {name: {metric: value for metric, value in found.items() if math.isfinite(value)}}


def same_for_all(
    name: str, metrics: Mapping[str, TaskMetric], splits: Splits, output: Array
) -> dict[str, dict[str, float]]:
    """A `baseline` that gives one output, (*output_shape) float32, for every example."""
    parts = {part: np.broadcast_to(output, (len(splits.parts[part]), *output.shape)) for part in ("valid", "test")}
    return baseline(name, metrics, splits, parts)


@torch.inference_mode()
def scored(metric: TaskMetric, output: Array, target: Column) -> float:
    """A metric of outputs (n, *output_shape) float32 and targets (n, ...); NaN where it raises ValueError."""
    step = max(1, min(BATCH, NUMBERS // math.prod(output.shape[1:])))
    found = []
    for start in range(0, len(target), step):
        some = np.arange(start, min(len(target), start + step))
        given, wanted = (
            torch.from_numpy(np.array(part)) for part in (output[some[0] : some[-1] + 1], taken(target, some))
        )
        found.append(metric.statistics(given, wanted))
    rows = torch.cat(found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class that is not among the examples
        try:
            return float(metric.reduce(rows if rows.ndim > 1 else rows[:, None]))
        except ValueError:  # torchmetrics of too few examples
            return math.nan
