"""Labels as they are given, and as networks learn them: whole numbers from 0 without gaps."""

from collections.abc import Sequence

import numpy as np

from evonas.errors import UserError
from evonas.tasks.task import Array, Split, Splits


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


def renumbered(splits: Splits, names: Sequence[str]) -> tuple[Splits, Sequence[str], list[str]]:
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
