"""What a task is: its examples in three splits, and how a network's output is judged.

Arrays are plain, contiguous numpy, so that the processes of a node share one copy of them. Examples that are too many
for memory are a `StoredArray` in the place of an array.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.inputs import mapped
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.losses import cross_entropy
from evonas.tasks.metrics import TaskMetric, directions, error
from evonas.tasks.rescale import Rescale
from evonas.tasks.stored_array import Column, chunks, held, nbytes, selected, taken

Array = npt.NDArray[Any]
T = TypeVar("T")
C = TypeVar("C", bound=Column)
Loss = Callable[[Tensor, Tensor, float], Tensor]
Baselines = Mapping[str, Mapping[str, float]]
"""Name of what needs no network -> metric -> its value of the validation examples; `test[METRIC]`: of the test ones."""
MIXING = ("mixup", "cutmix")
AUGMENTATIONS = ("crop", "flip", "cutout", "random_ops", *MIXING)
"""Keys of a config's `training.augment`; those of MIXING mix two examples and their classes."""
Effect = Literal["unchanged", "transformed", "mixed"]
"""What an augmentation of an example does to its target: nothing, the same as to the image (targets (..., height,
width), such as masks), or it is learned beside the class of another example."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Examples and their targets.

    Args:
        x: (n, ...) in any number type: an array, a `StoredArray`, or several of these by name.
        y: (n,) int64 classes or (n, ...) float32 values, an array: they are small, and counted where splits are made.
            A `StoredArray` where they are as large as examples, such as masks.

    Raises:
        UserError: there are no examples, or not as many as targets, or they are of a type that PyTorch cannot hold.
    """

    x: Column | Mapping[str, Column]
    y: Any  # not Column: most tasks make arrays, and count in them

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
        return Split(mapped(lambda column: selected(column, rows), self.x), selected(self.y, rows))

    @property
    def columns(self) -> dict[str, Column]:
        """The inputs by name, "" for a single one."""
        return dict(self.x) if isinstance(self.x, Mapping) else {"": self.x}

    @property
    def is_stored(self) -> bool:
        """Whether some of the examples or targets are not in memory."""
        return not all(isinstance(column, np.ndarray) for column in [*self.columns.values(), self.y])

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

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            if part is None:
                raise UserError(f"Splits: {name} is None; a task has examples in all three parts: train, valid, test")

    @property
    def parts(self) -> dict[str, Split]:
        """All three by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def mapped(self, function: Callable[[str, Split], Split]) -> "Splits":
        """`function` of the name and the examples of each part."""
        return Splits(*(function(name, split) for name, split in self.parts.items()), drawn=self.drawn)


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
            None: images with classes take all of them, other numbers with classes `mixup`, everything else none.
        augment: the task's own augmentation of training batches, on the device: (prepared inputs, targets, generator)
            -> both, changed and of the same shapes; all randomness comes from the generator.
        finish: what makes the units of the data of a network's output, in files that are shipped; loss and metrics take
            the output without it.
        baselines: what the metrics are without a network, to compare with; they are recorded with a run, and its front,
            report and model cards show them.
        overlap: how many neighbouring examples share what they are made of, as windows of a series do; 1: none.
        recipe: keys of a config's `training` and values with which networks learn these data without tuning; they hold
            where a config does not set them.
        offered: metrics that a config may list of data of this kind.
        names: what the numbers that a network takes in are called, from 0, such as users; they are recorded with a run.

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
    finish: Rescale | None = None
    baselines: Baselines = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    offered: tuple[str, ...] = ()
    overlap: int = 1
    names: tuple[str, ...] = ()

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
        if not self._classes or not isinstance(self.spec.input, InputSpec) or self.spec.input.is_integer:
            return {}
        every: dict[str, Effect] = {name: "mixed" if name in MIXING else "unchanged" for name in AUGMENTATIONS}
        return every if self.image_shape else {"mixup": "mixed"}

    @property
    def _classes(self) -> bool:
        """Whether each example is of one class."""
        y = self.splits.train.y
        return len(y.shape) == 1 and np.issubdtype(y.dtype, np.integer)

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
        if name in MIXING and effect != "mixed":
            raise UserError(f"{where}: {name} is 'mixed', not {effect!r}")
        if name not in MIXING and effect not in ("unchanged", "transformed"):
            raise UserError(f"{where}: {name} leaves a target 'unchanged' or is 'transformed' with it, not {effect!r}")
        if effect == "mixed" and not self._classes:
            raise UserError(f"{where}: {name} mixes classes (n,), and targets are {self.splits.train.y.shape[1:]}")
        if not self.image_shape and name != "mixup":
            raise UserError(f"{where}: {name} is for images (channels, height, width); give a module as `augment`")
        if effect != "transformed":
            return
        if name not in ("crop", "flip"):
            raise UserError(
                f"{where}: {name} leaves a target 'unchanged'; give a module as `augment` for anything else"
            )
        shape = self.splits.train.y.shape[1:]
        if len(shape) < 2 or shape[-2:] != self.image_shape[1:]:
            wanted = "x".join(map(str, self.image_shape[1:]))
            raise UserError(f"{where}: {name} transforms targets (..., height, width) of {wanted}, not {shape}")
