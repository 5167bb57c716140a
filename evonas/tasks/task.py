"""What a task is: its examples, how a network's output is judged, and the same on a device.

Arrays are plain, contiguous numpy, so that an object store shares them between the processes of a node
without copies; `placed` puts what the search may see on a worker's device once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.loading import unknown
from evonas.records import InputSpec, TaskSpec
from evonas.seeding import stream
from evonas.tasks.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS, TaskMetric, directions, error

Array = npt.NDArray[Any]
T = TypeVar("T")
Loss = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Examples and their targets: x (n, ...) in any number type, y (n,) int64 classes or (n, ...) float32 values."""

    x: Array
    y: Array

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise UserError(f"task: {len(self.x)} examples but {len(self.y)} targets")
        if not len(self.x):
            raise UserError("task: a split has no examples; give more data or larger fractions")

    def __getitem__(self, rows: Array) -> "Split":
        return Split(np.ascontiguousarray(self.x[rows]), np.ascontiguousarray(self.y[rows]))


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """The three parts of the examples.

    Args:
        train: what networks learn from.
        valid: what the search compares by.
        test: never seen by a search.
    """

    train: Split
    valid: Split
    test: Split


def cross_entropy(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross entropy of logits (n, classes) and classes (n,)."""
    return F.cross_entropy(output, target, label_smoothing=label_smoothing)


def mean_squared_error(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean squared error of (n, outputs) and (n, outputs); values have no labels to smooth."""
    return F.mse_loss(output, target)


class Standardise(nn.Module):
    """Numbers of any type -> float32 with mean 0 and deviation 1 over the training examples.

    Statistics are per channel for examples (channels, ...), per feature for examples (features,).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, train: Array) -> None:
        super().__init__()
        mean, deviation = channel_statistics(train)
        shape = (-1, *(1,) * (train.ndim - 2))
        self.register_buffer("mean", torch.from_numpy(mean).float().reshape(shape))
        self.register_buffer("deviation", torch.from_numpy(deviation).float().reshape(shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x.float() - self.mean) / self.deviation


def channel_statistics(x: Array, chunk: int = 2**22) -> tuple[Array, Array]:
    """Mean and deviation over all axes but the second; a constant channel has deviation 1. Both (channels,).

    Sums about `chunk` numbers at a time: numpy's own would turn a whole uint8 array into float64.
    """
    axes = (0, *range(2, x.ndim))
    count = x.size / x.shape[1]
    rows = max(1, chunk * len(x) // x.size)
    total = square = np.zeros(x.shape[1])
    for i in range(0, len(x), rows):
        part = x[i : i + rows].astype(np.float64)
        total, square = total + part.sum(axes), square + np.square(part).sum(axes)
    mean = total / count
    deviation = np.sqrt(np.maximum(square / count - mean**2, 0))
    return mean, np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The data of a search and what it means to be good at it.

    Args:
        spec: what a network takes in and gives out; its metrics are those below, by name and direction.
        splits: the examples.
        prepare: what is stored (n, ...) -> what a network takes in, as `spec.input` says; runs on the device, a batch
            at a time, and must not write into its input.
        loss: (output, target, label smoothing) -> the scalar that training lowers.
        metrics: name -> how it is computed of the validation examples; each can be an objective or a limit.

    Raises:
        UserError: the metrics of `spec` are not these.
    """

    spec: TaskSpec
    splits: Splits
    prepare: nn.Module
    loss: Loss = cross_entropy
    metrics: Mapping[str, TaskMetric] = field(default_factory=lambda: {"error": TaskMetric(error)})

    def __post_init__(self) -> None:
        own = directions(self.metrics)
        if list(own.items()) != list(self.spec.metrics.items()):  # in order, too: the first is the main one
            raise UserError(f"task {self.spec.name}: its metrics are {own}, its spec says {dict(self.spec.metrics)}")


def classification(name: str, splits: Splits, metrics: Sequence[str] = ("error",)) -> Task:
    """A task of telling classes 0, 1, ... apart, on standardised inputs.

    Args:
        name: for people.
        splits: examples in any number type, labels (n,) of whole numbers from 0.
        metrics: names in `CLASSIFICATION_METRICS`; the first is the main one.

    Raises:
        UserError: labels are not integers (n,) from 0, there is one class only, some number is not finite, or a metric
            is unknown.
    """
    splits = Splits(*(Split(_finite(s.x), labels(s.y)) for s in (splits.train, splits.valid, splits.test)))
    classes = 1 + max(int(s.y.max()) for s in (splits.train, splits.valid, splits.test))
    if classes < 2:
        raise UserError(f"task {name}: all labels are 0; a classification needs two classes or more")
    chosen = {metric: make(classes) for metric, make in _named(metrics, CLASSIFICATION_METRICS).items()}
    spec = TaskSpec(name, InputSpec(splits.train.x.shape[1:]), (classes,), directions(chosen))
    return Task(spec, splits, Standardise(splits.train.x), cross_entropy, chosen)


def regression(name: str, splits: Splits, metrics: Sequence[str] = ("mse",)) -> Task:
    """A task of predicting values (n,) or (n, outputs) from standardised inputs.

    Args:
        name: for people.
        splits: examples in any number type, values to predict.
        metrics: names in `REGRESSION_METRICS`; the first is the main one.

    Raises:
        UserError: some number is not finite, or a metric is unknown.
    """
    splits = Splits(*(Split(_finite(s.x), _values(s.y)) for s in (splits.train, splits.valid, splits.test)))
    chosen = _named(metrics, REGRESSION_METRICS)
    spec = TaskSpec(name, InputSpec(splits.train.x.shape[1:]), splits.train.y.shape[1:], directions(chosen))
    return Task(spec, splits, Standardise(splits.train.x), mean_squared_error, chosen)


def _named(names: Sequence[str], known: Mapping[str, T]) -> dict[str, T]:
    for name in names:
        if name not in known:
            raise UserError(f"task.metrics: {unknown(name, known)}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"task.metrics: takes one name or more, each once, not {list(names)}")
    return {name: known[name] for name in names}


def divided(pool: Split, fractions: tuple[float, ...], seed: int, stratify: bool = True) -> tuple[Split, ...]:
    """A pool in disjoint parts: one for each fraction, after the rest; each keeps the pool's mix of classes.

    Raises:
        ValueError: a fraction is not above 0, or nothing is left for the rest.
    """
    if any(not 0 < fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise ValueError(f"fractions must lie between 0 and 1 and leave a rest, not {fractions}")
    groups = pool.y if stratify else np.zeros(len(pool.y), np.int64)
    random = stream(seed, "split")
    parts: list[list[Array]] = [[] for _ in range(len(fractions) + 1)]
    for group in np.unique(groups):
        rows = random.permutation(np.flatnonzero(groups == group))
        bounds = np.rint(np.cumsum(fractions) * len(rows)).astype(int)
        for part, chosen in zip(parts, np.split(rows, bounds), strict=True):
            part.append(chosen)
    *given, rest = (pool[np.sort(np.concatenate(part))] for part in parts)
    return rest, *given


def labels(y: Array) -> Array:
    """Classes as int64; UserError where they are no whole numbers (n,) from 0."""
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise UserError(
            f"task: labels must be integers (n,), not {y.dtype} {y.shape}; task.target: values predicts values"
        )
    if y.min() < 0:
        raise UserError(f"task: labels must count from 0, not from {y.min()}")
    return y.astype(np.int64, copy=False)


def _values(y: Array) -> Array:
    if y.ndim > 2 or not np.issubdtype(y.dtype, np.number):
        raise UserError(f"task: values must be numbers (n,) or (n, outputs), not {y.dtype} {y.shape}")
    return _finite(y.reshape(len(y), -1).astype(np.float32))


def _finite(array: Array) -> Array:
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise UserError("task: the data hold NaN or infinite numbers; remove or replace those examples")
    return array
