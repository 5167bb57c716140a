"""Which columns of a table are times: dates, or whole numbers that are called so and can be some."""

import re
from collections.abc import Iterator
from typing import Any

from evonas.errors import UserError

CALLED = frozenset(
    {"at", "created", "date", "datetime", "datum", "day", "epoch", "jahr", "modified", "monat", "month", "tag", "time"}
    | {"timestamp", "ts", "unix", "unixtime", "updated", "when", "year", "zeit", "zeitpunkt", "zeitstempel"}
)
"""Words, one of which is in the name of whole numbers that are times: "created_at", "unixReviewTime"."""
WORD = re.compile(r"[A-ZÄÖÜ]?[a-zäöü]+|[A-ZÄÖÜ]+(?![a-zäöü])")
UNIX = {"Unix seconds": 10**9, "Unix milliseconds": 10**6, "Unix microseconds": 10**3, "Unix nanoseconds": 1}
"""How times are written as whole numbers -> nanoseconds of one."""
FIRST_S, LAST_S = 315_532_800, 4_102_444_800
"""1980 and 2100, in Unix seconds: what lies between, in no other unit does."""
LAST_MONTH = 210_012
YEARS = "years"
FIRST_YEAR, LAST_YEAR = 1800, 2200
YEAR_NS = 31_556_952 * 10**9
"""On average."""


def times(rows: Any) -> Iterator[str]:
    """The columns of a `pyarrow.Table` that are times, without gaps."""
    return (name for name in rows.column_names if not rows[name].null_count and is_when(rows, name))


def is_when(rows: Any, name: str) -> bool:
    """Whether a column holds dates, or whole numbers that are times by their name and values."""
    from evonas.tasks.table.dates import dated

    return _is_dates(dated(rows, name, whole=False)[name]) or bool(in_numbers(rows, name))


def in_numbers(rows: Any, name: str) -> str:
    """How a column of whole numbers, called a time, writes times: "Unix seconds", "years"; "" where it does not."""
    from evonas.tasks.table.dates import dated

    if not CALLED & {word.lower() for word in WORD.findall(name)} or not len(rows):
        return ""
    if not str(rows[name].type).startswith(("int", "uint", "float", "double")):
        return ""
    if _is_dates(dated(rows, name)[name]):
        return "numbers such as 20241231" if rows[name][0].as_py() > LAST_MONTH else "numbers such as 202412"
    try:
        least, most = _range(rows, name)
    except UserError:  # gaps, or decimal places
        return ""
    for written, ns in UNIX.items():
        if least * ns >= FIRST_S * 10**9 and most * ns < LAST_S * 10**9:
            return written
    return YEARS if least >= FIRST_YEAR and most <= LAST_YEAR else ""


def moments(rows: Any, name: str) -> Any:
    """(n,) int64 nanoseconds of a column of times; of years as if they were equally long.

    Args:
        rows: a `pyarrow.Table`.
        name: of a column that `is_when`.
    """
    from evonas.tasks.series.table import times_of
    from evonas.tasks.table.dates import dated

    found = times_of(dated(rows, name), name)
    written = in_numbers(rows, name)
    return (found - 1970) * YEAR_NS if written == YEARS else found * UNIX.get(written, 1)


def with_writing(rows: Any, name: str) -> str:
    """The name of a column of times, and how it writes them where that was guessed."""
    written = in_numbers(rows, name)
    return f"{name} in {written}" if written else name


def _is_dates(column: Any) -> bool:
    return str(column.type).startswith(("date", "timestamp"))


def _range(rows: Any, name: str) -> tuple[int, int]:
    from evonas.tasks.series.table import times_of

    found = times_of(rows, name)
    return int(found.min()), int(found.max())
