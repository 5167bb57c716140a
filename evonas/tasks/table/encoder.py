"""Rows of a table -> what networks are given of them, by what is recorded of the columns."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from evonas.errors import UserError
from evonas.tasks.class_folders import listed
from evonas.tasks.table.as_numbers import converted
from evonas.tasks.table.dates import days, moments, texts_of
from evonas.tasks.table.in_python import said_of
from evonas.tasks.table.reading import of_frame
from evonas.tasks.table.record import CategoryColumn, NumberColumn, TableRecord
from evonas.tasks.task import Array

SINGLE = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
"""The numbers that float32 holds; what is beyond them becomes the last one."""
LOSSY = 1e-3
"""Of the range between the quartiles: numbers that float32 moves by more than this are stored in float64."""


class Encoder:
    """Encodes rows of a table as those were that networks learned from.

    Args:
        record: of the columns; see `Encoder.load`.
        wide: numbers are float64, because float32 would move them.
    """

    def __init__(self, record: TableRecord, wide: bool = False) -> None:
        self.record, self.wide = record, wide

    @classmethod
    def load(cls, path: str | Path) -> "Encoder":
        """That of a file which `evonas export` wrote beside a network.

        Raises:
            UserError: there is no such file, or it is another.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(TableRecord.model_validate(found["table"]), found["inputs"].get("numbers") == "float64")
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            raise UserError(f"{path} does not describe columns, as evonas export writes them") from None

    def __call__(self, rows: Any) -> Array | dict[str, Array]:
        """What a network takes in, as it is stored.

        Args:
            rows: a frame, as `table_of` takes it, with the columns; others are not looked at. A column whose texts
                were read as numbers takes numbers, or texts in the same writing.

        Returns:
            (n, numbers) with NaN in gaps; or, where there are categories, `categories` (n, columns) and such `numbers`.

        Raises:
            UserError: a column is not there, or holds something else than it did.
        """
        with said_of("Encoder"):
            return self.encode(of_frame(rows, "the table"), "the table")

    def encode(self, rows: Any, part: str) -> Array | dict[str, Array]:
        """As it is called, for a table of a task.

        Args:
            rows: a `pyarrow.Table`.
            part: what it is, for messages.

        Raises:
            UserError: as it does where it is called.
        """
        rows = converted(rows, self.record.written, part)
        numbers = [self._numbers(rows, each, part) for each in self.record.numbers]
        codes = [encoded(each, self._texts(rows, each, part)) for each in self.record.categories]
        found: dict[str, Array] = {}
        if numbers:
            stacked = np.stack(numbers, 1)
            found["numbers"] = stacked if self.wide else stacked.clip(*SINGLE).astype(np.float32)
        if codes:
            largest = max(each.size for each in self.record.categories)
            found["categories"] = np.stack(codes, 1).astype(np.uint8 if largest <= 256 else np.int32)
        return found if codes else found["numbers"]

    def _numbers(self, rows: Any, each: NumberColumn, part: str) -> Array:
        column = _column(rows, each.column, part)
        if each.part == "days":
            return _attempted(each.column, column, lambda: days(moments(column, self.record.dates[each.column])))
        return values(column, each.column)

    def _texts(self, rows: Any, each: CategoryColumn, part: str) -> Array:
        column = _column(rows, each.column, part)
        if each.part == "value":
            return texts(column)
        when = _attempted(each.column, column, lambda: moments(column, self.record.dates[each.column]))
        return texts_of(when, each.part)


def encoded(each: CategoryColumn, found: Array) -> Array:
    """(n,) int64 numbers of texts, of which None is a gap."""
    numbers = {value: number for number, value in enumerate(each.values, start=1)}
    numbers_of_gaps = len(each.values) + 1 if each.gaps else 0
    return np.array([numbers_of_gaps if text is None else numbers.get(text, 0) for text in found], np.int64)


def values(column: Any, name: str) -> Array:
    """(n,) float64, NaN in gaps and where a number is infinite.

    Raises:
        UserError: the column holds no numbers.
    """
    try:
        found = np.array([np.nan if value is None else float(value) for value in column.to_pylist()], np.float64)
    except (TypeError, ValueError):
        other = next((value for value in column.to_pylist() if isinstance(value, str)), "")
        shown = f", such as {other[:40]!r}" if other else ""
        raise UserError(f"task.path: the column {name} must hold numbers, not {column.type}{shown}") from None
    found[np.isinf(found)] = np.nan
    return found


def texts(column: Any) -> Array:
    """(n,) objects: texts, None in gaps; a whole number that pandas made a float of for a gap is one again."""
    return np.array([None if _is_gap(value) else _text(value) for value in column.to_pylist()], object)


def _is_gap(value: Any) -> bool:
    return value is None or value != value or value == ""


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _column(rows: Any, name: str, part: str) -> Any:
    if name not in rows.column_names:
        raise UserError(f"task.path: {part} has no column {name}; it has {listed(rows.column_names)}")
    return rows[name]


def _attempted(name: str, column: Any, function: Callable[[], Array]) -> Array:
    import pyarrow as pa

    try:
        return function()
    except (pa.ArrowException, TypeError, ValueError):
        raise UserError(f"task.path: the column {name} must hold dates, not {column.type}") from None


def unseen(record: TableRecord, x: Any) -> list[str]:
    """Columns of categories and how many of the rows have a value that training has not."""
    if not isinstance(x, Mapping):
        return []
    counts = (x["categories"] == 0).sum(0).tolist()
    return [f"{each.name} ({count:,})" for each, count in zip(record.categories, counts, strict=True) if count]
