"""What a task is: its examples in three splits, and how a network's output is judged.

Arrays are plain, contiguous numpy, so that the processes of a node share one copy of them. Examples that are too many
for memory are a `StoredArray` in the place of an array.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.inputs import mapped
from evonas.records import InputSpec, TaskSpec
from evonas.seeding import stream
from evonas.tasks.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS, TaskMetric, directions, error
from evonas.tasks.stored_array import Column, chunks, held, nbytes, selected, taken

Array = npt.NDArray[Any]
T = TypeVar("T")
C = TypeVar("C", bound=Column)
Loss = Callable[[Tensor, Tensor, float], Tensor]
AUGMENTATIONS = ("crop", "flip", "cutout")
"""Keys of a config's `training.augment`."""
Effect = Literal["unchanged", "transformed"]
"""What an augmentation of an image does to its target: nothing, or the same as to the image (targets (..., height,
width), such as masks)."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Examples and their targets.

    Args:
        x: (n, ...) in any number type: an array, a `StoredArray`, or several of these by name.
        y: (n,) int64 classes or (n, ...) float32 values, in memory: they are small, and counted where splits are made.

    Raises:
        UserError: there are no examples, or not as many as targets, or they are of a type that PyTorch cannot hold.
    """

    x: Column | Mapping[str, Column]
    y: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", mapped(held, self.x))
        if self.y.dtype.kind in "biuf":
            object.__setattr__(self, "y", held(self.y))
        for column in self.columns.values():
            if len(column) != len(self.y):
                raise UserError(f"task: {len(column)} examples but {len(self.y)} targets")
        if not len(self.y):
            raise UserError("task: a split has no examples; give more data or larger fractions")

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Array) -> "Split":
        """Some examples, those of a stored array without reading them."""
        return Split(mapped(lambda column: selected(column, rows), self.x), taken(self.y, rows))

    @property
    def columns(self) -> dict[str, Column]:
        """The inputs by name, "" for a single one."""
        return dict(self.x) if isinstance(self.x, Mapping) else {"": self.x}

    @property
    def is_stored(self) -> bool:
        """Whether some of the examples are not in memory."""
        return not all(isinstance(column, np.ndarray) for column in self.columns.values())

    @property
    def nbytes(self) -> int:
        """Of examples and targets, wherever they are."""
        return sum(map(nbytes, [*self.columns.values(), self.y]))

    def read(self, rows: Array) -> tuple[Any, Array]:
        """Some examples and their targets in memory.

        Args:
            rows: (k,) int64.

        Returns:
            (k, ...), or such an array by name, and (k, ...).
        """
        return mapped(lambda column: taken(column, rows), self.x), taken(self.y, rows)


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """The three parts of the examples.

    Args:
        train: what networks learn from.
        valid: what the search compares by.
        test: never seen by a search.
        drawn: those of them that were not given, but drawn from the training examples.
    """

    train: Split
    valid: Split
    test: Split
    drawn: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def parts(self) -> dict[str, Split]:
        """All three by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def mapped(self, function: Callable[[str, Split], Split]) -> "Splits":
        """`function` of the name and the examples of each part."""
        return Splits(*(function(name, split) for name, split in self.parts.items()), drawn=self.drawn)


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

    def __init__(self, train: Column) -> None:
        super().__init__()
        self._set(*channel_statistics(train), len(train.shape) - 2)

    @classmethod
    def with_constants(cls, mean: Array, deviation: Array, axes: int) -> "Standardise":
        """What standardises by constants that are known.

        Args:
            mean: (channels,) or (features,).
            deviation: as many.
            axes: of an example, behind that of its channels or features.
        """
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._set(mean, deviation, axes)
        return made

    def _set(self, mean: Array, deviation: Array, axes: int) -> None:
        shape = (-1, *(1,) * axes)
        self.register_buffer("mean", torch.from_numpy(mean).float().reshape(shape))
        self.register_buffer("deviation", torch.from_numpy(deviation).float().reshape(shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x.float() - self.mean) / self.deviation


def channel_statistics(x: Column, chunk: int = 2**22) -> tuple[Array, Array]:
    """Mean and deviation over all axes but the second; a constant channel has deviation 1. Both (channels,).

    Sums about `chunk` numbers at a time: numpy's own would turn a whole uint8 array into float64.
    """
    axes = (0, *range(2, len(x.shape)))
    count = math.prod(x.shape) / x.shape[1]
    total = square = np.zeros(x.shape[1])
    for part in chunks(x, chunk):
        numbers = part.astype(np.float64)
        total, square = total + numbers.sum(axes), square + np.square(numbers).sum(axes)
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
        classes: what the classes are called, in order of their numbers; they are recorded with a run.
        notes: what was guessed, changed or left out when the data were read; a search says each of them at its start.
        augmentations: name of a key of `training.augment` -> what it does to the target; what is not named is refused.
            None: images with classes take all of them, `unchanged`, and everything else takes none.
        augment: the task's own augmentation of training batches, on the device: (prepared inputs, targets, generator)
            -> both, changed and of the same shapes; all randomness comes from the generator.

    Raises:
        UserError: the metrics of `spec` are not these; an unknown augmentation, or one that the targets cannot take.
    """

    spec: TaskSpec
    splits: Splits
    prepare: nn.Module
    loss: Loss = cross_entropy
    metrics: Mapping[str, TaskMetric] = field(default_factory=lambda: {"error": TaskMetric(error, share=True)})
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    augmentations: Mapping[str, Effect] | None = None
    augment: nn.Module | None = None

    def __post_init__(self) -> None:
        own = directions(self.metrics)
        if list(own.items()) != list(self.spec.metrics.items()):  # in order, too: the first is the main one
            raise UserError(f"task {self.spec.name}: its metrics are {own}, its spec says {dict(self.spec.metrics)}")
        for name, effect in (self.augmentations or {}).items():
            self._check_augmentation(name, effect)

    @property
    def effects(self) -> Mapping[str, Effect]:
        """The augmentations that the task can take, with what each does to the target."""
        if self.augmentations is not None:
            return self.augmentations
        y = self.splits.train.y
        classes = y.ndim == 1 and np.issubdtype(y.dtype, np.integer)
        return dict.fromkeys(AUGMENTATIONS, "unchanged") if self.image_shape and classes else {}

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of a task whose one input is an image; else empty."""
        inputs = self.spec.input
        image = isinstance(inputs, InputSpec) and not inputs.is_integer and len(inputs.shape) == 3
        return self.spec.input_shape if image else ()

    def _check_augmentation(self, name: str, effect: str) -> None:
        where = f"task {self.spec.name}: augmentations"
        if name not in AUGMENTATIONS:
            raise UserError(f"{where}: {unknown(name, AUGMENTATIONS)}")
        if effect not in get_args(Effect):
            raise UserError(f"{where}: {name} leaves a target 'unchanged' or is 'transformed' with it, not {effect!r}")
        if not self.image_shape:
            raise UserError(f"{where}: {name} is for images (channels, height, width); give a module as `augment`")
        if effect == "unchanged":
            return
        if name == "cutout":
            raise UserError(
                f"{where}: cutout leaves a target 'unchanged'; give a module as `augment` for anything else"
            )
        shape = self.splits.train.y.shape[1:]
        if len(shape) < 2 or shape[-2:] != self.image_shape[1:]:
            wanted = "x".join(map(str, self.image_shape[1:]))
            raise UserError(f"{where}: {name} transforms targets (..., height, width) of {wanted}, not {shape}")


def classification(
    name: str,
    splits: Splits,
    metrics: Sequence[str] = ("error",),
    classes: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Task:
    """A task of telling classes 0, 1, ... apart, on standardised inputs.

    Args:
        name: for people.
        splits: examples in any number type, labels (n,) of whole numbers from 0.
        metrics: names in `CLASSIFICATION_METRICS`; the first is the main one.
        classes: what they are called, in order of their numbers.
        notes: what was guessed, changed or left out when the data were read.

    Raises:
        UserError: labels are not integers (n,) from 0, there is one class only, some number is not finite, or a metric
            is unknown.
    """
    splits, classes, renumbered = _renumbered(
        splits.mapped(lambda part, split: Split(_finite(_single(split.x)), labels(split.y, part))), classes
    )
    notes, count = [*notes, *renumbered], len(np.unique(splits.train.y))
    if count < 2:
        raise UserError(f"task {name}: all labels are alike; a classification needs two classes or more")
    chosen = {metric: make(count) for metric, make in chosen_metrics(metrics, CLASSIFICATION_METRICS).items()}
    x = _single(splits.train.x)
    spec = TaskSpec(name, InputSpec(x.shape[1:]), (count,), directions(chosen))
    return Task(spec, splits, Standardise(x), cross_entropy, chosen, tuple(classes), tuple(notes))


def regression(name: str, splits: Splits, metrics: Sequence[str] = ("mse",), notes: Sequence[str] = ()) -> Task:
    """A task of predicting values (n,) or (n, outputs) from standardised inputs.

    Args:
        name: for people.
        splits: examples in any number type, values to predict.
        metrics: names in `REGRESSION_METRICS`; the first is the main one.
        notes: what was guessed, changed or left out when the data were read.

    Raises:
        UserError: some number is not finite, or a metric is unknown.
    """
    splits = splits.mapped(lambda part, split: Split(_finite(_single(split.x)), _values(split.y)))
    chosen = chosen_metrics(metrics, REGRESSION_METRICS)
    x = _single(splits.train.x)
    spec = TaskSpec(name, InputSpec(x.shape[1:]), splits.train.y.shape[1:], directions(chosen))
    return Task(spec, splits, Standardise(x), mean_squared_error, chosen, notes=tuple(notes))


def chosen_metrics(names: Sequence[str], known: Mapping[str, T]) -> dict[str, T]:
    """The metrics of these names, in their order; UserError where one is unknown, is there twice, or there is none."""
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
    check_fractions(fractions)
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


def check_fractions(fractions: tuple[float, ...]) -> None:
    """Raises ValueError where a fraction is not above 0, or nothing is left for the rest."""
    if any(not 0 < fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise ValueError(f"fractions must lie between 0 and 1 and leave a rest, not {fractions}")


def labels(y: Array, part: str = "") -> Array:
    """Classes as int64, floating-point ones too; UserError where they are no whole numbers (n,) from 0."""
    where = f", in {part}" if part else ""
    if y.ndim == 1 and whole(y):
        y = y.astype(np.int64)
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        right = "task.target: values predicts values"
        if not np.issubdtype(y.dtype, np.number):
            right = "give numbers 0, 1, ...: names, y = numpy.unique(y, return_inverse=True)"
        raise UserError(f"task: labels must be integers (n,), not {y.dtype} {y.shape}{where}; {right}")
    if y.min() < 0:
        without = f"; leave out the {np.count_nonzero(y < 0):,} examples without a label" if y.min() == -1 else ""
        raise UserError(f"task: labels must count from 0, not from {y.min()}{where}{without}")
    return y.astype(np.int64, copy=False)


def whole(y: Array) -> bool:
    """Whether floating-point numbers are whole numbers, all of them."""
    if y.dtype.kind != "f":
        return False
    numbers = y.astype(np.float64)
    return bool((np.abs(numbers) < 2**53).all() and (numbers == np.floor(numbers)).all())


def _renumbered(splits: Splits, names: Sequence[str]) -> tuple[Splits, Sequence[str], list[str]]:
    """Labels as 0, 1, ... without gaps, what the classes are called, and notes for people.

    The classes are those of the training examples, so that a network has an output for each class that it can learn.

    Raises:
        UserError: another part has a label that no training example has.
    """
    known = np.unique(splits.train.y)
    for part, split in splits.parts.items():
        if len(strange := np.setdiff1d(split.y, known)):
            number = np.count_nonzero(np.isin(split.y, strange))
            raise UserError(
                f"task: {part} has labels that no training example has: {_few(strange)} ({number:,} of "
                f"{len(split):,} examples); leave those examples out, or give training examples of them"
            )
    if np.array_equal(known, np.arange(len(known))):
        return splits, names[: len(known)], []
    called = [str(names[label]) if label < len(names) else str(label) for label in known.tolist()]
    note = f"the labels {_few(known)} become 0 to {len(known) - 1}; run.json has them as names of the classes"
    return splits.mapped(lambda part, split: Split(split.x, np.searchsorted(known, split.y))), called, [note]


def _few(labels: Array) -> str:
    numbers = [f"{label}" for label in labels.tolist()]
    return ", ".join(numbers) if len(numbers) <= 8 else f"{', '.join(numbers[:7])}, ..., {numbers[-1]}"


def _values(y: Array) -> Array:
    if y.ndim > 2 or not np.issubdtype(y.dtype, np.number):
        raise UserError(f"task: values must be numbers (n,) or (n, outputs), not {y.dtype} {y.shape}")
    return _finite(y.reshape(len(y), -1).astype(np.float32))


def _single(x: Column | Mapping[str, Column]) -> Column:
    if isinstance(x, Mapping):
        raise UserError(f"task: {', '.join(x)} are several inputs: give a Task of your own, with what prepares them")
    return x


def _finite(column: C) -> C:
    if np.issubdtype(column.dtype, np.floating) and not all(np.isfinite(part).all() for part in chunks(column)):
        raise UserError("task: the data hold NaN or infinite numbers; remove or replace those examples")
    return column
