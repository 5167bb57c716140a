"""Series as a table has them: columns of numbers, the order of time, and which rows are of which series."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.table.dates import first_other
from evonas.tasks.task import Array
from evonas.text import counted

ORDER = "or leave task.time out, and the rows are taken in their order"
"""What else can be done about times."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series, in the order of time.

    Args:
        name: of its group; "" where the table is one series.
        values: (rows, columns) float64 without gaps.
        times: (rows,) int64, equal for the same time in all series.
        labels: (rows,) texts, "" where there is none; None where nothing is to be classified.
    """

    name: str
    values: Array
    times: Array
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.values)


def numbers(rows: Any, name: str, option: str) -> Array:
    """(n,) float64 of a column, NaN in gaps.

    Raises:
        UserError: the column holds something else; the line has the first of them.
    """
    kind = str(rows[name].type)
    if kind.startswith(("int", "uint", "float", "double", "half", "bool", "decimal")):
        return np.array([np.nan if value is None else float(value) for value in rows[name].to_pylist()])
    for row, value in enumerate(rows[name].to_pylist(), 1):
        if value is not None and not _is_number(value):
            raise UserError(f"task.{option}: the column {name} must hold numbers; row {row:,} has {str(value)!r}")
    raise UserError(
        f"task.{option}: the column {name} must hold numbers; it holds {'nothing' if kind == 'null' else kind}"
    )


def _is_number(value: object) -> bool:
    try:
        return isinstance(float(str(value)), float)
    except ValueError:
        return False


def filled(values: Array, columns: Sequence[str], where: str, notes: Counter[str]) -> Array:
    """Values (rows, columns) with the one before it in each gap, which is all that is known then.

    Raises:
        UserError: a column begins with a gap.
    """
    gaps = ~np.isfinite(values)
    for name, column in zip(columns, gaps.T, strict=True):
        if column[0]:
            raise UserError(
                f"task.path: {name} has no value in the first row{where}; leave out rows before its first one"
            )
        notes[name] += int(column.sum())
    last = np.maximum.accumulate(np.where(gaps, 0, np.arange(len(values))[:, None]), axis=0)
    return np.take_along_axis(values, last, axis=0)


def constant(columns: Sequence[str], values: Array) -> dict[str, float]:
    """Column -> its value, of those that have one alone.

    Args:
        columns: names.
        values: (rows, columns).
    """
    mean, deviation = values.mean(0), values.std(0)
    same = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    return {name: value for name, value, own in zip(columns, mean.tolist(), same, strict=True) if own}


def times_of(rows: Any, name: str) -> Array:
    """(n,) int64 of a column of times: nanoseconds, or the whole numbers that it holds.

    Raises:
        UserError: it holds something else, or has gaps.
    """
    column, kind = rows[name], str(rows[name].type)
    if column.null_count:
        row = column.to_pylist().index(None) + 1
        raise UserError(f"task.time: {name} has no value in row {row:,}; give each row its time, {ORDER}")
    if kind.startswith(("timestamp", "date")):
        return np.array(column.to_numpy(), "datetime64[ns]").astype(np.int64)
    if kind.startswith(("int", "uint", "float", "double")):
        found = np.array(column.to_numpy())
        if np.array_equal(found, np.rint(found)):
            return found.astype(np.int64)
        raise UserError(f"task.time: {name} must hold dates or whole numbers, not {found[found != np.rint(found)][0]}")
    other = f", not {kind}"
    if kind.endswith("string"):
        row, text = first_other(column)
        other = f"; row {row:,} has {text!r}"
    dates = "dates as 2024-12-31 or 2024-12-31 23:00"
    raise UserError(f"task.time: {name} must hold {dates}, or whole numbers{other}; {ORDER}")


def check_times(times: Array, shown: Sequence[Any], name: str, series: str, grouped: bool) -> None:
    """That times rise by equal steps: seconds, days or months, or what the numbers count.

    Args:
        times: (rows,) of one series.
        shown: the same as the table has them.
        name: of the column.
        series: " of GROUP", for messages; "" where the table is one series.
        grouped: whether a column tells series apart.

    Raises:
        UserError: they do not rise, are there twice, or some are left out.
    """
    steps = np.diff(times)
    if (twice := np.flatnonzero(steps == 0)).size:
        apart = "" if grouped else "; name the column that tells series apart: task.group"
        raise UserError(f"task.time: two rows{series} have the time {shown[twice[0]]}: keep one of them{apart}")
    if (back := np.flatnonzero(steps < 0)).size:
        at = back[0]
        apart = "" if grouped else ", or name the column that tells series apart: task.group"
        raise UserError(
            f"task.time: the rows{series} are not in the order of {name}: {shown[at]} stands before {shown[at + 1]}; "
            f"sort the table by it{apart}"
        )
    if len(steps) and (steps != steps[0]).any():
        _check_months(times, shown, series, steps)


def _check_months(times: Array, shown: Sequence[Any], series: str, steps: Array) -> None:
    """Months, quarters and years are not equally long."""
    if hasattr(shown[0], "month"):
        months = np.array([12 * time.year + time.month for time in shown])
        if len(set(np.diff(months))) == 1 and months[0] != months[1]:
            return
    usual = Counter(steps.tolist()).most_common(1)[0][0]
    odd = np.flatnonzero(steps != usual)[0]
    if steps[odd] > usual:
        raise UserError(
            f"task.time: there is a gap{series} between {shown[odd]} and {shown[odd + 1]}, where "
            f"{counted(max(1, round(steps[odd] / usual) - 1), 'row')} should be; add them with empty values, {ORDER}"
        )
    raise UserError(
        f"task.time: the steps{series} are not equal: {shown[odd]} and {shown[odd + 1]} are nearer than others; give "
        f"rows at equal distances, {ORDER}"
    )
