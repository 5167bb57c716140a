"""Which windows of series there are, and in which part of time each is.

What a window predicts lies in one part alone, and training windows end before the validation part begins. A window of
a later part may look back across its beginning: what was before is known when a forecast is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from evonas.errors import UserError
from evonas.tasks.series.table import Series
from evonas.tasks.splitting import check_fractions
from evonas.tasks.task import Array

FEWER = "give a larger task.stride, or a smaller context"
"""What to do where memory has no room for the windows."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How windows lie.

    Args:
        before: rows that a network sees before those that are predicted.
        ahead: rows that are predicted.
        stride: rows from one window to the next.
    """

    before: int
    ahead: int
    stride: int

    @property
    def overlap(self) -> int:
        """How many windows one after another share rows."""
        return -(-(self.before + self.ahead) // self.stride)


@dataclass(frozen=True, slots=True)
class Place:
    """Windows of a series in a part.

    Args:
        series: which they are of.
        rows: (k,) the first one that each predicts.
    """

    series: Series
    rows: Array


def bounds(series: Sequence[Series], valid_fraction: float, test_fraction: float) -> dict[str, int]:
    """The first times of valid and test, at shares of all times that there are.

    Raises:
        ValueError: a fraction is not above 0, or nothing is left for training.
    """
    check_fractions((valid_fraction, test_fraction))
    times = np.unique(np.concatenate([one.times for one in series]))
    counts = {"valid": valid_fraction + test_fraction, "test": test_fraction}
    return {part: int(times[min(len(times) - 1, round((1 - share) * len(times)))]) for part, share in counts.items()}


def training_rows(one: Series, begins: dict[str, int]) -> int:
    """How many rows of a series are before the validation part."""
    return int(np.searchsorted(one.times, begins["valid"]))


def places(series: Sequence[Series], shape: Shape, begins: dict[str, int]) -> dict[str, list[Place]]:
    """The windows of train, valid and test.

    Raises:
        UserError: series are too short for a window in each part.
    """
    found: dict[str, list[Place]] = {"train": [], "valid": [], "test": []}
    for one in series:
        valid, test = (int(np.searchsorted(one.times, begins[part])) for part in ("valid", "test"))
        ends = {"train": (0, valid), "valid": (valid, test), "test": (test, len(one))}
        for part, (low, high) in ends.items():
            rows = np.arange(max(low, shape.before), high - shape.ahead + 1, shape.stride)
            if len(rows):
                found[part].append(Place(one, rows))
    _check(series, shape, found)
    return found


def count(found: Sequence[Place]) -> int:
    """How many windows they are."""
    return sum(len(place.rows) for place in found)


def _check(series: Sequence[Series], shape: Shape, found: dict[str, list[Place]]) -> None:
    longest, needed = max(map(len, series)), shape.before + shape.ahead
    takes = f"a window takes {needed:,} ({shape.before:,} + {shape.ahead:,})"
    if longest < needed:
        raise UserError(
            f"task.path: the longest series has {longest:,} rows, and {takes}: give a longer series, or a smaller "
            "context or horizon"
        )
    for part, own in found.items():
        if not own:
            raise UserError(
                f"task: no window fits into {part}: {takes}, of which {shape.ahead:,} in {part} alone, and the longest "
                f"series has {longest:,} rows; give a smaller context or horizon, or other fractions"
            )


def taken(values: Array, rows: Array, length: int) -> Array:
    """Pieces of values (rows, columns) that begin at some rows: (k, columns, length)."""
    return sliding_window_view(values, length, axis=0)[rows]
