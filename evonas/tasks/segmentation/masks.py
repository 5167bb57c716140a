"""Masks as classes of pixels, and what became of them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import count, listed
from evonas.tasks.pictures.images import ORIENTATION, SIDEWAYS, TURNS, Traits, pillow
from evonas.tasks.pictures.sources import as_it_is, below
from evonas.tasks.segmentation.pairs import Pair
from evonas.tasks.segmentation.pixels import UNKNOWN
from evonas.tasks.stored_array import Column, Selected, chunks, source, taken
from evonas.tasks.task import Array

MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
"""Of one channel; a palette's numbers are the values."""
HIGHEST = 2**16
VALUES = 1
"""The version of what this file makes of a mask; another one is not taken from a cache."""
MOST = 64
"""Different values from which on masks are rather pictures, or were smoothed."""


class MaskFiles:
    """Masks as `Sources` of pixels, each opened with its picture, which says how it is turned.

    Args:
        root: the folder of the task.
        pairs: in order.
    """

    noun = "mask"

    def __init__(self, root: Path, pairs: Sequence[Pair]) -> None:
        self._root = os.path.abspath(root)
        both = ((pair.mask, pair.picture) for pair in pairs)
        self._files = tuple(tuple(below(os.path.abspath(file), self._root) for file in own) for own in both)

    @property
    def name(self) -> str:
        return f"{os.path.basename(self._root)}-masks"

    def __len__(self) -> int:
        return len(self._files)

    def called(self, row: int) -> str:
        return os.path.join(self._root, self._files[row][0])

    @contextmanager
    def opened(self, row: int) -> Iterator[tuple[Any, Any]]:
        image = pillow("segmentation", "images")
        mask, picture = (os.path.join(self._root, file) for file in self._files[row])
        with image.open(mask) as opened, image.open(picture) as shown:
            yield opened, shown

    def state(self) -> Iterator[str]:
        yield f"masks {VALUES} {os.path.realpath(self._root)}"
        for mask, picture in self._files:
            at = (as_it_is(os.path.join(self._root, file)) for file in (mask, picture))
            yield "\0".join((mask, picture, *at))


@dataclass(frozen=True, slots=True)
class MaskForm:
    """What masks become, each by itself and in any thread: their values, in two bytes each.

    Args:
        height, width: masks are scaled to these, to the nearest of their pixels.
    """

    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(2, height, width): the higher and the lower byte of a value."""
        return 2, self.height, self.width

    def pixels(self, picture: tuple[Any, Any]) -> tuple[Array, Traits]:
        """The values of a mask.

        Args:
            picture: the mask and its picture, of Pillow, opened.

        Raises:
            OSError, ValueError, SyntaxError, AttributeError, TypeError, PIL.Image.DecompressionBombError: it is
                damaged, no mask, or not of the size of its picture.
        """
        mask = _upright(*picture)
        values = self._values(mask)
        traits = Traits(mask.size[::-1], mask.mode, deep=False, grey=True, transparent=False, turned=False)
        return np.stack([values >> 8, values & 255]).astype(np.uint8), traits

    def _values(self, mask: Any) -> Array:
        if mask.mode not in MODES:
            raise ValueError(f"it is of mode {mask.mode}; a mask has one channel with the class of each pixel")
        wanted = self.width, self.height
        scaled = mask if mask.size == wanted else mask.resize(wanted, resample=0)  # 0 is the nearest in any Pillow
        values = np.asarray(scaled).astype(np.int64)
        if values.min() < 0 or values.max() >= HIGHEST:
            raise ValueError(f"it has values up to {values.max():,}; a class is a number from 0 to {HIGHEST - 1:,}")
        return values


def _upright(mask: Any, picture: Any) -> Any:
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


def as_values(stored: Array) -> Array:
    """(n, height, width) uint16 values of what `MaskForm` made, (n, 2, height, width)."""
    return stored[:, 0].astype(np.uint16) << 8 | stored[:, 1]


def values_of(given: Sequence[int] | None, unknown: int | None, stored: Column) -> tuple[int, ...]:
    """The value of each class, in order.

    Args:
        given: of the config; None: all that are there.
        unknown: the value that stands for no class.
        stored: of the training masks, as `MaskForm` made them.

    Raises:
        UserError: there are less than two, too many, or one is there twice.
    """
    found = _found(stored) if given is None else list(given)
    own = [value for value in found if value != unknown]
    if given is None and len(own) > MOST:
        raise UserError(
            f"task.values: the masks have {len(own):,} different values, too many to be classes: write masks without "
            "smooth edges, or name the values"
        )
    if given is None and len(own) < 2:
        beside = " beside task.unknown_value" if unknown in found else ""
        raise UserError(
            f"task.values: the training masks have {f'one value ({own[0]})' if own else 'no value'}{beside}, so there "
            "is nothing to tell apart; name the values of all classes, or look whether the masks are the right ones"
        )
    if len(own) < 2 or len(set(own)) < len(own) or len(own) >= UNKNOWN:
        raise UserError(
            f"task.values: takes different values of 2 to {UNKNOWN - 1} classes, not {listed(map(str, own))}"
        )
    return tuple(own)


def _found(stored: Column) -> list[int]:
    """All values, in order."""
    there = np.zeros(HIGHEST, bool)
    for part in chunks(stored):
        there[as_values(part)] = True
    return there.nonzero()[0].tolist()


class MaskClasses:
    """The classes of masks that stay where they are stored, a `StoredArray` (n, height, width) uint8.

    Args:
        stored: what `MaskForm` made, (n, 2, height, width).
        table: value -> its class; see `table_of`.
    """

    def __init__(self, stored: Column, table: Array) -> None:
        self.stored, self._table = stored, table

    @property
    def shape(self) -> tuple[int, ...]:
        count, _, *size = self.stored.shape
        return count, *size

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.stored)

    def rows(self, indices: Array) -> Array:
        return self._table[as_values(taken(self.stored, indices))].astype(np.uint8)


def table_of(known: Sequence[int], unknown: int | None) -> Array:
    """(65536,) int16 the class of each value, `UNKNOWN` where it stands for none, -1 where there is no such value.

    Args:
        known: the value of each class.
        unknown: the value that stands for no class.
    """
    table = np.full(HIGHEST, -1, np.int16)
    table[list(known)] = np.arange(len(known))
    if unknown is not None:
        table[unknown] = UNKNOWN
    return table


def check_values(stored: Column, table: Array, files: Sequence[Path], known: Sequence[int]) -> None:
    """Look at all masks of a part.

    Args:
        stored: the part, (n, 2, height, width).
        table: of `table_of`.
        files: of the masks.
        known: the value of each class, for the message.

    Raises:
        UserError: a mask has a value of no class.
    """
    strange, values, row = list[Path](), set[int](), 0
    for part in chunks(stored):
        own = as_values(part)
        bad: Array = table[own] < 0
        values.update(np.unique(own[bad]).tolist())
        strange += [files[row + i] for i, own_bad in enumerate(bad) if own_bad.any()]
        row += len(own)
    if strange:
        raise UserError(
            f"task.values: {count(len(strange), 'mask')} with values of no class, {listed(map(str, sorted(values)))} "
            f"(classes are {listed(map(str, known))}): {listed(file.name for file in strange)}; repair them, or "
            "task.unknown_value leaves one value out"
        )


def in_memory_or_not(parts: Sequence[Column], table: Array) -> list[Column]:
    """Masks of each part as classes: arrays where they are such, else of one `MaskClasses`, of which parts can be
    joined."""
    where = {id(source(part)): MaskClasses(source(part), table) for part in parts if not isinstance(part, np.ndarray)}
    return [
        Selected(where[id(part.array)], part.chosen) if isinstance(part, Selected) else _classes(part, table)
        for part in parts
    ]


def _classes(part: Column, table: Array) -> Array:
    """(n, height, width) uint8; a block at a time, for the table's numbers take twice as much."""
    return np.concatenate([table[as_values(own)].astype(np.uint8) for own in chunks(part)])


def pixels_of(y: Column) -> Array:
    """(256,) how many pixels each class has."""
    return sum((np.bincount(part.ravel(), minlength=UNKNOWN + 1) for part in chunks(y)), np.zeros(UNKNOWN + 1, int))


def shares(counts: Array, names: Sequence[str]) -> list[str]:
    """A note of how many pixels each class has.

    Args:
        counts: of `pixels_of`.
        names: of the classes.
    """
    total = counts.sum()
    each = [f"{name} {100 * n / total:.3g} %" for name, n in zip(names, counts[: len(names)], strict=True)]
    unknown = [f"unknown {100 * counts[UNKNOWN] / total:.3g} %"] if counts[UNKNOWN] else []
    return [f"pixels of training masks: {', '.join([*each, *unknown])}"]
