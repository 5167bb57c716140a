"""What a task's metrics give for its examples, and that it is what they must."""

import warnings

import numpy as np
import torch
from torch import Tensor

from evonas.errors import UserError
from evonas.tasks.metrics import TaskMetric
from evonas.tasks.task import Task
from evonas.text import describe_error

COUNTS = (3, 2)
"""Examples that metrics are tried with: two numbers, so that rows cannot be mistaken for outputs."""


class MetricError(Exception):
    """A metric cannot be computed. The message is one line."""


def rows(name: str, statistics: Tensor, examples: int) -> Tensor:
    """(n, k) statistics of n examples.

    Raises:
        MetricError: there is not one row an example.
    """
    shape = tuple(statistics.shape) if isinstance(statistics, Tensor) else type(statistics).__name__
    if not isinstance(statistics, Tensor) or statistics.ndim not in (1, 2) or len(statistics) != examples:
        wanted = f"({examples},) or ({examples}, k)"
        raise MetricError(
            f"metric {name}: statistics of {examples} examples have the shape {shape}, not {wanted}: "
            "give one row an example; what is a number of all examples at once belongs into `reduce`"
        )
    return statistics[:, None] if statistics.ndim == 1 else statistics


def check_metrics(task: Task) -> None:
    """Try each metric of a task with a few of its validation examples and made-up outputs.

    What it is of so few examples does not matter, and a reduction may refuse them.

    Raises:
        UserError: the statistics are not one row an example, or what they are reduced to is not one number.
    """
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(np.array(task.splits.valid.y[: max(COUNTS)]))
    for count in COUNTS:
        y = targets[:count]
        output = torch.from_numpy(rng.standard_normal((len(y), *task.spec.output_shape), dtype=np.float32))
        for name, metric in task.metrics.items():
            try:
                _check(name, metric, output, y)
            except MetricError as error:
                raise UserError(f"task {task.spec.name}: {error}") from None


@torch.inference_mode()
def _check(name: str, metric: TaskMetric, output: Tensor, y: Tensor) -> None:
    shapes = f"outputs {tuple(output.shape)} and targets {tuple(y.shape)}"
    try:
        statistics = metric.statistics(output, y)
    except Exception as error:
        raise MetricError(f"metric {name}: statistics of {shapes} raise {describe_error(error)}") from error
    found = rows(name, statistics, len(y))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class is not among so few
            value = metric.reduce(found)
    except Exception:  # for the same reason
        return
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = f"the shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"the type {type(value).__name__}"
        raise MetricError(f"metric {name}: reduce gives {what}, not a tensor of one number")
