"""Masks as classes of pixels, and what became of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import count, listed, unreadable
from evonas.tasks.images import ORIENTATION, SIDEWAYS, TURNS, Size, sides
from evonas.tasks.picture_pairs import Pair
from evonas.tasks.pixels import UNKNOWN
from evonas.tasks.task import Array

MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
"""Of one channel; a palette's numbers are the values."""
HIGHEST = 2**16
MOST = 64
"""Different values from which on masks are rather pictures, or were smoothed."""


class Masks:
    """Reads masks alike.

    Args:
        image: PIL.Image.
        size: height and width, or both of a square.

    Raises:
        UserError: the size is below 1.
    """

    def __init__(self, image: ModuleType, size: Size) -> None:
        self._image, (self._height, self._width) = image, sides(size)
        self._failed: list[str] = []
        self._bomb: type[Exception] = image.DecompressionBombError

    def read(self, pairs: Sequence[Pair]) -> Array:
        """(n, height, width) uint16 values; zeros where a mask cannot be read, which `check` says."""
        y = np.zeros((len(pairs), self._height, self._width), np.uint16)
        for row, pair in enumerate(pairs):
            try:
                with self._image.open(pair.mask) as mask, self._image.open(pair.picture) as picture:
                    y[row] = self._values(self._upright(mask, picture))
            except (OSError, ValueError, SyntaxError, AttributeError, TypeError, self._bomb) as error:
                said = str(error).splitlines()[0] if str(error) else type(error).__name__
                self._failed.append(f"{pair.mask}: {said}")
        return y

    def _upright(self, mask: Any, picture: Any) -> Any:
        """As its picture stands once that is turned as its camera says."""
        stored, way = picture.size, picture.getexif().get(ORIENTATION, 1)
        shown = stored[::-1] if way in SIDEWAYS else stored
        if mask.size not in (stored, shown):
            (width, height), (wide, high) = mask.size, shown
            raise ValueError(f"it is of {height} x {width} (height x width), its picture of {high} x {wide}")
        if way not in TURNS or mask.size != stored:
            return mask
        if stored == shown:
            raise ValueError(
                f"its picture is to be turned (EXIF orientation {way}), and nothing tells whether the mask is: save "
                "the picture as it is to be seen, without EXIF"
            )
        return mask.transpose(TURNS[way])

    def _values(self, mask: Any) -> Array:
        if mask.mode not in MODES:
            raise ValueError(f"it is of mode {mask.mode}; a mask has one channel with the class of each pixel")
        wanted = self._width, self._height
        scaled = mask if mask.size == wanted else mask.resize(wanted, resample=0)  # 0 is the nearest in any Pillow
        values = np.asarray(scaled).astype(np.int64)
        if values.min() < 0 or values.max() >= HIGHEST:
            raise ValueError(f"it has values up to {values.max():,}; a class is a number from 0 to {HIGHEST - 1:,}")
        return values

    def check(self) -> None:
        """
        Raises:
            UserError: some mask could not be read, or is not as large as its picture; it names them.
        """
        if self._failed:
            raise unreadable("task.path", count(len(self._failed), "mask"), self._failed)


def values_of(given: Sequence[int] | None, unknown: int | None, y: Array) -> tuple[int, ...]:
    """The value of each class, in order.

    Args:
        given: of the config; None: all that are there.
        unknown: the value that stands for no class.
        y: of the training masks.

    Raises:
        UserError: there are less than two, too many, or one is there twice.
    """
    found = np.unique(y).tolist() if given is None else list(given)
    own = [value for value in found if value != unknown]
    if given is None and len(own) > MOST:
        raise UserError(
            f"task.values: the masks have {len(own):,} different values, too many to be classes: write masks without "
            "smooth edges, or name the values"
        )
    if len(own) < 2 or len(set(own)) < len(own) or len(own) >= UNKNOWN:
        raise UserError(
            f"task.values: takes different values of 2 to {UNKNOWN - 1} classes, not {listed(map(str, own))}"
        )
    return tuple(own)


def classes_of(y: Array, known: Sequence[int], unknown: int | None, files: Iterable[Path]) -> Array:
    """(n, height, width) uint8 the class of each pixel, `UNKNOWN` where it is not known.

    Args:
        y: (n, height, width) values.
        known: of each class.
        unknown: the value that stands for no class.
        files: of the masks, for messages.

    Raises:
        UserError: a mask has another value.
    """
    table = np.full(HIGHEST, -1, np.int16)
    table[list(known)] = np.arange(len(known))
    if unknown is not None:
        table[unknown] = UNKNOWN
    found = table[y]
    strange = [bool((mask < 0).any()) for mask in found]
    if any(strange):
        values = listed(map(str, np.unique(y[found < 0]).tolist()))
        names = listed(file.name for file, bad in zip(files, strange, strict=True) if bad)
        raise UserError(
            f"task.values: {count(sum(strange), 'mask')} with values of no class, {values} (classes are "
            f"{listed(map(str, known))}): {names}; repair them, or task.unknown_value leaves one value out"
        )
    return found.astype(np.uint8)


def shares(y: Array, names: Sequence[str]) -> list[str]:
    """A note of how many pixels each class has."""
    counts = np.bincount(y.ravel(), minlength=UNKNOWN + 1)
    each = [f"{name} {100 * n / y.size:.3g} %" for name, n in zip(names, counts[: len(names)], strict=True)]
    unknown = [f"unknown {100 * counts[UNKNOWN] / y.size:.3g} %"] if counts[UNKNOWN] else []
    return [f"pixels of training masks: {', '.join([*each, *unknown])}"]
