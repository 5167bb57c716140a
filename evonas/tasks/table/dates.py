"""Dates in tables: which texts are some, and what networks take of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.tasks.table.writing import are_few
from evonas.tasks.task import Array

DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d")
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S")
FORMATS = tuple(day + time for day in DAYS for time in TIMES)
"""How dates are written that are texts; the first of those that fit on most is taken."""
WHOLE = r"^ *[+-]?\d+ *$"
"""Times may be whole numbers, too."""
WHOLE_DATES = {1: (19_000_101, 21_001_231), 100: (190_001, 210_012)}
"""What makes whole numbers days in the writing 20241231, the first of a month where they are months -> the range of
such numbers."""
TRIED = 50
"""Texts by which most formats are found not to fit."""


@dataclass(frozen=True, slots=True)
class Dates:
    """How most texts of a column write dates.

    Args:
        written: the format.
        count: of texts.
        odd: text that is no date -> how often it is there.
    """

    written: str
    count: int
    odd: Mapping[str, int]

    @property
    def are_most(self) -> bool:
        """Whether so few texts are no dates that they can be left away."""
        return are_few(self.odd, self.count)


def dates_of(column: Any) -> Dates | None:
    """How a column of texts writes dates; None where less than half of the texts are some.

    Args:
        column: a `pyarrow.ChunkedArray` of texts.
    """
    known = column.drop_null()
    start = known.slice(0, TRIED)
    if not any(character.isdigit() for text in start.to_pylist() for character in text):
        return None
    fit = [each for each in FORMATS if 2 * _count(_others(start, each)) <= len(start)]
    if not fit:
        return None
    written = min(fit, key=lambda each: _count(_others(known, each)))
    odd = Counter(known.filter(_others(known, written)).to_pylist())
    return Dates(written, len(known), odd) if 2 * odd.total() <= len(known) else None


def format_of(column: Any) -> str:
    """How a column of texts writes dates; empty where it holds none, or some text is no date.

    Args:
        column: a `pyarrow.ChunkedArray` of texts.
    """
    found = dates_of(column)
    return found.written if found and not found.odd else ""


def first_other(column: Any) -> tuple[int, str]:
    """The first text of a column that is no time, and its row, counted from 1.

    Times are whole numbers, or dates in the writing that fits most of the first texts; where it fits few, the first
    text is the one.

    Args:
        column: a `pyarrow.ChunkedArray` of texts, of which `format_of` knows no writing.
    """
    from pyarrow import compute

    start = column.drop_null().slice(0, TRIED)
    written = max((WHOLE, *FORMATS), key=lambda each: -_count(_others(start, each)))
    fits = 2 * _count(_others(start, written)) < len(start)
    others = _others(column, written) if fits else compute.is_valid(column)
    row = compute.index(others, True).as_py()
    return row + 1, str(column[row])


def _others(column: Any, written: str) -> Any:
    """Whether a text is there, and is not written so."""
    from pyarrow import compute

    if written == WHOLE:
        return compute.fill_null(compute.invert(compute.match_substring_regex(column, WHOLE)), False)
    found = compute.strptime(column, format=written, unit="s", error_is_null=True)
    return compute.and_(compute.is_valid(column), compute.is_null(found))


def _count(found: Any) -> int:
    from pyarrow import compute

    return compute.sum(found).as_py() or 0


def moments(column: Any, written: str) -> Array:
    """(n,) datetime64[s], NaT in gaps.

    Args:
        column: a `pyarrow.ChunkedArray` of dates, or of texts that are some.
        written: how, where they are texts. What does not fit is a gap.
    """
    import pyarrow as pa
    from pyarrow import compute

    if written and not str(column.type).startswith(("date", "timestamp")):
        column = compute.strptime(column.cast(pa.string()), format=written, unit="s", error_is_null=True)
    naive = column.cast(pa.timestamp("s"), safe=False)
    found: Array = naive.to_numpy().astype("datetime64[s]")
    return found


def dated(rows: Any, name: str, whole: bool = True) -> Any:
    """A `pyarrow.Table` whose column of this name holds dates, where it held texts or whole numbers that are some.

    Args:
        rows: the table.
        name: of the column.
        whole: whether whole numbers such as 20241231 and 202412 are dates where all of a column can be.
    """
    import pyarrow as pa

    column, written = rows[name], ""
    if str(column.type) in ("string", "large_string"):
        written = format_of(column)
    elif whole and str(column.type).startswith(("int", "uint", "float", "double")):
        column = _days_of(column)
        written = "%Y%m%d" if column else ""
    return rows.set_column(rows.column_names.index(name), name, pa.array(moments(column, written))) if written else rows


def _days_of(column: Any) -> Any:
    """Days or months in whole numbers as texts such as 20241231; None where some is none."""
    from pyarrow import compute

    least, most = (each.as_py() for each in compute.min_max(column).values())
    days = next((per for per, (low, high) in WHOLE_DATES.items() if least and low <= least and most <= high), 0)
    if not days or column.null_count:
        return None
    try:
        texts = compute.add(compute.multiply(column.cast("int64"), days), days // 100).cast("string")
    except ValueError:  # decimal places
        return None
    found = compute.strptime(texts, format="%Y%m%d", unit="s", error_is_null=True)
    return texts if not found.null_count else None


def days(when: Array) -> Array:
    """(n,) float64 since 1970, NaN in gaps."""
    return np.where(np.isnat(when), np.nan, when.astype(np.int64) / 86_400)


def texts_of(when: Array, part: str) -> Array:
    """(n,) objects: month, weekday or hour as a text, None in gaps."""
    seconds = when.astype(np.int64)
    if part == "month":
        numbers = when.astype("datetime64[M]").astype(np.int64) % 12 + 1
    elif part == "weekday":
        numbers = (seconds // 86_400 + 3) % 7 + 1  # 1970 began with a Thursday
    else:
        numbers = seconds % 86_400 // 3600
    found: Array = numbers.astype(str).astype(object)
    found[np.isnat(when)] = None
    return found
