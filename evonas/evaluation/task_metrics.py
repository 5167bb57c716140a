"""What a task's metrics give for its examples, and that it is what they must."""

import math
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

MADE_UP = 2**22
"""Numbers in made-up outputs of all validation examples, at most."""


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
def undefined(task: Task) -> list[str]:
    """Say which metrics have no value for the validation examples.

    Args:
        task: with its data. Metrics of very many outputs are not looked at.

    Returns:
        A line for each metric that is not finite for made-up outputs, e.g. where no example is of some class.
    """
    y = task.splits.valid.y
    if len(y) * task.spec.outputs > MADE_UP:
        return []
    rng = np.random.default_rng(0)
    output = torch.from_numpy(rng.standard_normal((len(y), *task.spec.output_shape), dtype=np.float32))
    found = []
    for name, metric in task.metrics.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                statistics = metric.statistics(output, torch.from_numpy(np.array(y)))
                value = float(metric.reduce(rows(name, statistics, len(y))))
        except Exception:  # made-up outputs may be refused, e.g. by a logarithm
            continue
        if not math.isfinite(value):
            found.append(f"metric {name} is {value} for made-up outputs of the validation examples{_missing(task)}")
    return found


def _missing(task: Task) -> str:
    """Which classes no validation example has, as the end of a sentence; empty where all are there."""
    y, shape = task.splits.valid.y, task.spec.output_shape
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer) or len(shape) != 1:
        return ""
    missing = sorted({*range(shape[0])} - {*np.unique(y).tolist()})
    return f": none of them is of class {', '.join(map(str, missing))}" if missing else ""


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
