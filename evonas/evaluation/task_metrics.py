"""What a task's metrics give for its examples, and that it is what they must."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evonas.errors import UserError
from evonas.tasks.metrics import TaskMetric
from evonas.tasks.stored_array import taken
from evonas.tasks.task import Task
from evonas.text import describe_error

COUNTS = (3, 2, 1)
"""Examples that metrics are tried with: different numbers, so that rows cannot be mistaken for outputs; the last batch
of an epoch may be a single one."""
BESIDE = 16
"""Examples whose statistics are compared with those of each alone."""
BATCH = 1024
NUMBERS = 2**22
"""Of made-up outputs, at most: larger splits are tried in part."""


LARGE = "; where targets are so large that float32 does not hold their squares, give them in a larger unit"
WHERE = "what is a number of all examples at once belongs into `reduce`"


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
            f"give one row an example; {WHERE}"
        )
    return statistics[:, None] if statistics.ndim == 1 else statistics


def check_metrics(task: Task) -> None:
    """Try each metric of a task with its validation examples and made-up outputs: normally distributed ones or, where
    a metric cannot take these, shares from 0 to 1.

    What it is of a few examples does not matter, and a reduction may refuse them; of all it must be a finite number.

    Raises:
        UserError: the statistics are not one row an example or depend on other examples, or what they are reduced to
            is not one finite number.
    """
    y = task.splits.valid.y
    try:
        torch.from_numpy(np.array(taken(y, np.arange(1))))
    except TypeError:
        raise UserError(
            f"task {task.spec.name}: targets are of {y.dtype}, which no loss takes; give int64 classes or float32 "
            "values"
        ) from None
    for name, metric in task.metrics.items():
        refusals: list[MetricError] = []
        for draw in (np.random.Generator.standard_normal, np.random.Generator.random):
            try:
                _check(name, metric, task, draw)
                break
            except MetricError as refusal:
                refusals.append(refusal)
        else:
            raise UserError(f"task {task.spec.name}: {refusals[0]}")


@torch.inference_mode()
def _check(name: str, metric: TaskMetric, task: Task, draw: Callable[..., Any]) -> None:
    shape, targets = task.spec.output_shape, task.splits.valid.y
    count = min(len(targets), max(BESIDE, NUMBERS // max(1, math.prod(shape))))
    rng = np.random.default_rng(0)
    found: list[Tensor] = []
    for start in range(0, count, BATCH):
        y = torch.from_numpy(np.array(taken(targets, np.arange(start, min(count, start + BATCH)))))
        output = torch.from_numpy(draw(rng, (len(y), *shape), dtype=np.float32))
        _set_right(output, y)
        if not start:
            for few in COUNTS:
                _number(name, metric, _tried(name, metric, output[:few], y[:few]))
            _check_alone(name, metric, output[:BESIDE], y[:BESIDE])
        found.append(_tried(name, metric, output, y))
        if metric.share and not bool(((found[-1] == 0) | (found[-1] == 1)).all()):
            raise MetricError(f"metric {name}: it is said to be a share, but the statistic of an example is not 0 or 1")
    _number(name, metric, torch.cat(found), whole=count == len(targets))


def _set_right(output: Tensor, y: Tensor) -> None:
    """Every other output is right, where targets are classes (n, ...) of logits (n, classes, ...): otherwise a metric
    of many classes would be the same number for all examples."""
    if y.is_floating_point() or y.shape != (*output.shape[:1], *output.shape[2:]) or y.min() < 0:
        return
    if y.max() < output.shape[1]:
        output[::2] = output[::2].scatter(1, y[::2, None].long(), float(output.max()))


def _tried(name: str, metric: TaskMetric, output: Tensor, y: Tensor) -> Tensor:
    try:
        statistics = metric.statistics(output, y)
    except Exception as error:
        shapes = f"outputs {tuple(output.shape)} and targets {tuple(y.shape)}"
        raise MetricError(f"metric {name}: statistics of {shapes} raise {describe_error(error)}") from error
    return rows(name, statistics, len(y))


def _check_alone(name: str, metric: TaskMetric, output: Tensor, y: Tensor) -> None:
    """The row of an example does not depend on the batch that it is in."""
    beside = _tried(name, metric, output, y)
    alone = [_tried(name, metric, output[i : i + 1], y[i : i + 1]) for i in range(len(y))]
    if any(row.shape[1] != beside.shape[1] for row in alone) or not torch.allclose(
        torch.cat(alone).double(), beside.double(), rtol=1e-3, atol=1e-5, equal_nan=True
    ):
        raise MetricError(
            f"metric {name}: the statistics of an example are others where other examples are in the batch: give what "
            f"follows from one example, {WHERE}"
        )


def _number(name: str, metric: TaskMetric, statistics: Tensor, whole: bool = False) -> None:
    """That statistics are reduced to one number, and those of the whole split to a finite one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a class is not among so few
            value = metric.reduce(statistics)
    except Exception as error:
        if not whole:  # for the same reason
            return
        what = f"reduce of the statistics {tuple(statistics.shape)} of all validation examples"
        raise MetricError(f"metric {name}: {what} raises {describe_error(error)}") from error
    if not isinstance(value, Tensor) or value.numel() != 1 or value.is_complex():
        what = f"the shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"the type {type(value).__name__}"
        what = "a complex number" if isinstance(value, Tensor) and value.is_complex() else what
        raise MetricError(f"metric {name}: reduce gives {what}, not a tensor of one number")
    if whole and not value.double().isfinite().all():
        raise MetricError(
            f"metric {name}: it is {value.item()} of all {len(statistics)} validation examples with made-up outputs; "
            f"it must be a finite number{LARGE * bool(value.isinf())}"
        )
