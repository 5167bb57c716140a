"""Arrays that stay where they are stored: rows of them are read when they are wanted.

A split holds a `StoredArray` in the place of an array of examples. What is streamed is one array and no table of inputs
and targets, because then nothing else changes: targets, which are small, stay in memory, where classes are counted
and splits are made; several inputs are several arrays by name; and checks, statistics and digests read a `Column`
of either kind through `taken` and `chunks`.
"""

import math
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from evonas.errors import UserError

Array = npt.NDArray[Any]


class StoredArray(Protocol):
    """An array (n, ...) that is not held in memory.

    It travels to the workers as a pickle, which should say where the data are and not hold them.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """A number type, in the byte order of the machine."""

    def __len__(self) -> int:
        """n, of 1 or more."""

    def rows(self, indices: Array) -> Array:
        """Read some examples. It is called in a thread, while the device computes.

        Args:
            indices: (k,) int64, each in [0, n), in any order.

        Returns:
            (k, ...) in the order of the indices, in memory of its own.
        """


WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}
"""Numbers that PyTorch has no arithmetic for -> the type that they are held in."""

Column = Array | StoredArray
"""One number or array an example, in memory or not: both have a length, a shape and a dtype."""


C = TypeVar("C", bound=Column)


class Selected:
    """Some rows of a stored array, which are read when they are wanted.

    Args:
        array: where they are stored.
        chosen: (m,) int64, the rows in the order that they have here.
    """

    def __init__(self, array: StoredArray, chosen: Array) -> None:
        self.array, self.chosen = array, chosen

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.chosen), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.chosen)

    def rows(self, indices: Array) -> Array:
        return self.array.rows(self.chosen[indices])


def taken(column: Column, indices: Array) -> Array:
    """(k, ...) rows of a column, in memory, contiguous.

    Raises:
        UserError: a stored array gives something else than it says.
    """
    if isinstance(column, np.ndarray):
        return np.ascontiguousarray(column[indices])
    found = column.rows(indices)
    expected = (len(indices), *column.shape[1:])
    if found.shape != expected or found.dtype != column.dtype:
        name = type(column).__name__
        raise UserError(
            f"task: {name}.rows gave {found.dtype} {found.shape}, and its shape and dtype say {column.dtype} {expected}"
        )
    return np.ascontiguousarray(found)


def selected(column: Column, indices: Array) -> Column:
    """Rows of a column: of an array as a copy, of a stored array to be read later."""
    if isinstance(column, np.ndarray):
        return taken(column, indices)
    if isinstance(column, Selected):
        return Selected(column.array, column.chosen[indices])
    return Selected(column, indices)


def source(column: Column) -> Column:
    """The array whose rows a column is of: its own, where none were selected."""
    return column.array if isinstance(column, Selected) else column


def together(first: Column, second: Column) -> Column | None:
    """The rows of two columns, one behind the other: of arrays as a copy, of one stored array to be read later. None
    where they are of different stored arrays, or one of them is stored."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    stored = source(first)
    if isinstance(stored, np.ndarray) or stored is not source(second):
        return None
    return Selected(stored, np.concatenate([_chosen(first), _chosen(second)]))


def _chosen(column: Column) -> Array:
    return column.chosen if isinstance(column, Selected) else np.arange(len(column))


def chunks(column: Column, numbers: int = 2**22) -> Iterator[Array]:
    """All rows in order, about so many numbers at a time."""
    step = max(1, numbers * len(column) // max(1, math.prod(column.shape)))
    for start in range(0, len(column), step):
        stop = min(start + step, len(column))
        yield column[start:stop] if isinstance(column, np.ndarray) else taken(column, np.arange(start, stop))


def held_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which numbers are handed to PyTorch: their own in the byte order of the machine, or a wider one.

    Raises:
        UserError: they are no numbers that it can hold.
    """
    own = dtype.newbyteorder("=")
    if own.kind not in "biuf":
        raise UserError(f"task: examples are numbers, not {dtype}; convert them, e.g. x.astype('float32')")
    return np.dtype(WIDER.get(own.name, np.float64 if own.itemsize > 8 else own))


def held(column: C) -> C:
    """A column in a type that PyTorch can hold; an array that is so already is not copied.

    Raises:
        UserError: it cannot be converted.
    """
    dtype = held_dtype(column.dtype)
    if not isinstance(column, np.ndarray):
        if dtype != column.dtype:
            raise UserError(f"task: {type(column).__name__} holds {column.dtype}, which must be given as {dtype}")
        return column
    if column.dtype.name == "uint64" and column.size and column.max() > np.iinfo(np.int64).max:
        raise UserError("task: examples hold whole numbers of 2^63 and more; convert them, e.g. x.astype('float64')")
    converted: Any = column.astype(dtype, copy=False)
    return converted  # type: ignore[no-any-return]


def nbytes(column: Column) -> int:
    """Bytes of all rows."""
    return math.prod(column.shape) * column.dtype.itemsize
