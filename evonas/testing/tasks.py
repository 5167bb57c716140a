"""The contract of a task: see `evonas.tasks.task.Task`."""

import itertools
from typing import Any

import torch
from torch import Tensor

from evonas.config import AugmentConfig
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.task_inputs import compare
from evonas.evaluation.training import augment
from evonas.inputs import mapped, size
from evonas.records import TaskSpec
from evonas.tasks.metrics import TaskMetric
from evonas.tasks.task import Task
from evonas.testing.checks import attempt, check_travels, process_unchanged, require

FEW = 8
"""Examples that are looked at one by one."""


def check_task(task: Task) -> None:
    """Make sure that a task keeps its contract.

    Args:
        task: the task, with its data.

    Raises:
        AssertionError: it does not; says where.
    """
    spec = task.spec
    require(bool(task.metrics), "the task has no metric")
    for part in (task.prepare, task.loss, task.metrics, task.augment):
        check_travels(part, "prepare, loss, metrics and augment")
    with attempt("putting the examples on the device"):
        data = to_device(task, "cpu")
    with attempt("prepare"), process_unchanged("prepare"):
        _check_prepare(data, spec)
    with attempt("augment"), process_unchanged("augment"):
        augment.check(AugmentConfig(), task)
    _, y = next(data.valid.in_order(FEW))
    output = _made_up(spec, len(y))
    with attempt("the loss"), process_unchanged("the loss"):
        _check_loss(task, output, y)
    for name, metric in task.metrics.items():
        with attempt(f"metric {name}"), process_unchanged(f"metric {name}"):
            _check_statistics(name, metric, output, y)
            _check_reduction(name, metric, data, spec)


def _made_up(spec: TaskSpec, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, *spec.output_shape, generator=generator)


def _check_prepare(data: DeviceData, spec: TaskSpec) -> None:
    """What a network gets of stored examples is what the spec says."""
    for examples in (data.train, data.valid):
        x, _ = next(examples.in_order(FEW))
        before, count = mapped(torch.clone, x), size(x)
        inputs = data.prepare(x)
        try:
            compare(inputs, spec, count)
        except ValueError as error:
            raise AssertionError(str(error)) from None
        require(_same(x, before), "prepare writes into its input; make a new tensor")
        require(_same(data.prepare(x), inputs), "prepare gives another output each time")
        alone = data.prepare(mapped(lambda part: part[:1], x))
        first = mapped(lambda part: part[:1], inputs)
        require(_same(alone, first, 1e-4), "prepare makes something else of an example when others are beside it")


def _same(a: Any, b: Any, off: float = 0.0) -> bool:
    """Whether two inputs are equal, or within `off` of the largest number."""
    pairs = [(a, b)] if isinstance(a, Tensor) else [(a[name], b[name]) for name in a]
    return all(
        _equal(one, two) or (one.shape == two.shape and bool(((one - two).abs() <= off * (1 + two.abs().max())).all()))
        for one, two in pairs
    )


def _equal(one: Tensor, two: Tensor) -> bool:
    """Whether two tensors are equal; gaps that are stored as NaN are alike."""
    both = one.is_floating_point() and two.is_floating_point()
    return torch.equal(one.nan_to_num(), two.nan_to_num()) and (not both or torch.equal(one.isnan(), two.isnan()))


def _check_loss(task: Task, output: Tensor, y: Tensor) -> None:
    leaf = output.clone().requires_grad_()
    for smoothing in (0.0, 0.1):
        loss = task.loss(leaf, y, smoothing)
        require(isinstance(loss, Tensor) and loss.ndim == 0, f"the loss is {loss!r}, not a scalar tensor")
        require(bool(loss.isfinite()), "the loss of a normally distributed output is not finite")
    require(loss.requires_grad, "the loss has no gradient; compute it of the output with torch")


def _check_statistics(name: str, metric: TaskMetric, output: Tensor, y: Tensor) -> None:
    """One row an example, which depends on that example alone: batches of any size give the same."""
    before = output.clone(), y.clone()
    rows = metric.statistics(output, y)
    count, shape = len(y), tuple(rows.shape)
    right = rows.ndim in (1, 2) and len(rows) == count
    require(
        right,
        f"metric {name}: the statistics of {count} examples have the shape {shape}, not ({count},) or ({count}, k)",
    )
    require(
        torch.equal(output, before[0]) and torch.equal(y, before[1]),
        f"metric {name}: statistics write into their input",
    )
    for i in range(count):
        alone = metric.statistics(output[i : i + 1], y[i : i + 1])
        same = alone.shape[1:] == rows.shape[1:] and torch.allclose(alone[0].double(), rows[i].double(), atol=1e-6)
        text = "give one row an example; what is a number of all examples at once belongs into `reduce`"
        require(same, f"metric {name}: the statistics of an example are others when others are beside it: {text}")


def _check_reduction(name: str, metric: TaskMetric, data: DeviceData, spec: TaskSpec) -> None:
    """Of all validation examples, as a search computes it, with made-up outputs."""
    rows = []
    for number, (_, y) in enumerate(itertools.islice(data.valid.in_order(256), 16)):
        generator = torch.Generator().manual_seed(number)
        found = metric.statistics(torch.randn(len(y), *spec.output_shape, generator=generator), y)
        rows.append(found[:, None] if found.ndim == 1 else found)
    statistics = torch.cat(rows)
    value = metric.reduce(statistics)
    one = isinstance(value, Tensor) and value.numel() == 1
    require(one, f"metric {name}: reduce gave {value!r}, not a tensor of one number")
    require(bool(value.isfinite()), f"metric {name}: it is {value.item()} for made-up outputs, and must be finite")
    require(bool(metric.reduce(statistics) == value), f"metric {name}: reduce gives another number each time")
