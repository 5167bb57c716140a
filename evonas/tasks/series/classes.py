"""Windows of series with classes: each has the label of its last row."""

from collections.abc import Mapping, Sequence

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import natural
from evonas.tasks.room import check_room
from evonas.tasks.series.table import Series, constant
from evonas.tasks.series.windows import FEWER, Place, Shape, bounds, count, places, taken
from evonas.tasks.splitting import divided
from evonas.tasks.task import Split, Splits


def labelled(
    found: list[Series], shape: Shape, fractions: tuple[float, float], seed: int, notes: list[str]
) -> tuple[Splits, list[str]]:
    """Windows with the classes of their last rows, and the names of these; adds notes.

    Args:
        found: series with labels.
        shape: of windows that predict their last row.
        fractions: of valid and test.
        seed: of the draw of whole series, where each has one label.
        notes: for people.

    Raises:
        UserError: series are too short.
    """
    names = sorted({name for one in found for name in _labels(one) if name}, key=natural)
    whole = len(found) > 1 and all(len(_labels(one)) == 1 for one in found)
    windows = _whole(found, shape, fractions, seed) if whole else places(found, shape, bounds(found, *fractions))
    order = "whole series" if whole else "in the order of time"
    notes.append(f"windows have the class of their last row; the parts are {order}")
    size = 4 * sum(map(count, windows.values())) * found[0].values.shape[1] * (shape.before + 1)
    check_room("task.path", "the windows", size, False, FEWER)
    numbers = {name: number for number, name in enumerate(names)}
    parts = {part: _split(own, shape, numbers, part, notes) for part, own in windows.items()}
    return Splits(**parts, drawn=("valid", "test")), names


def check_tells(targets: Sequence[str], found: Sequence[Series]) -> None:
    """That columns by which classes are to be told have more than one value each.

    Args:
        targets: names of the first columns of series.
        found: the series.

    Raises:
        UserError: one has not.
    """
    every = np.concatenate([one.values[:, : len(targets)] for one in found])
    for name, value in constant(targets, every).items():
        raise UserError(f"task.targets: {name} is {value:.6g} in all rows, which tells no class; leave it out")


def _labels(one: Series) -> set[str]:
    return set() if one.labels is None else set(one.labels.tolist())


def _split(own: Sequence[Place], shape: Shape, numbers: Mapping[str, int], part: str, notes: list[str]) -> Split:
    texts = np.concatenate([place.series.labels[place.rows] for place in own])  # type: ignore[index]
    x = np.concatenate([taken(p.series.values, p.rows - shape.before, shape.before + 1) for p in own])
    kept = texts != ""
    if not kept.all():
        notes.append(f"left out are {int((~kept).sum()):,} windows of {part} without a label")
    return Split(x[kept].astype(np.float32), np.array([numbers[text] for text in texts[kept]], np.int64))


def _whole(found: list[Series], shape: Shape, fractions: tuple[float, float], seed: int) -> dict[str, list[Place]]:
    """Windows of whole series, each of which is in one part; every part keeps the mix of classes."""
    long = [one for one in found if len(one) > shape.before]
    if not long:
        return places(found, shape, bounds(found, *fractions))  # which says how long they are
    labels = [next(iter(_labels(one))) for one in long]
    pool = Split(np.arange(len(long)), np.array([sorted(set(labels)).index(label) for label in labels]))
    parts = dict(zip(("train", "valid", "test"), divided(pool, fractions, seed), strict=True))
    rows = [np.arange(shape.before, len(one), shape.stride) for one in long]
    return {
        part: [Place(long[i], rows[i]) for i in own.read(np.arange(len(own)))[0].tolist()]
        for part, own in parts.items()
    }
