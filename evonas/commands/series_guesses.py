"""Whether the rows of a table follow each other in time, by equal steps, and what is then forecast."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from evonas.commands.guess import LABELS, MOST_CLASSES, Guess
from evonas.commands.time_guesses import moments, times, with_writing
from evonas.errors import UserError
from evonas.text import in_time

FEWEST = 50
"""Rows of a series."""
MOST_SERIES = 1_000
"""Series that a column tells apart."""
DAY = 86_400.0


class Times(NamedTuple):
    """Times of a table that rise by equal steps: their column, that of groups, seconds, and rows of the shortest."""

    time: str
    group: str
    step: float
    shortest: int


def series(data: str, rows: Any) -> Guess | None:
    """Forecasts of the columns of numbers, where rows follow each other in time; None where they do not.

    Args:
        data: the path as the config names it.
        rows: a `pyarrow.Table` with numbers for texts that are some.
    """
    found = next((rise for name in times(rows) if (rise := _times(rows, name))), None)
    if not found or found.shortest < FEWEST or _has_classes(rows):
        return None
    targets, flags, left = _roles(rows, found)
    if not targets:
        return None
    season, context, horizon = lengths(found.step, found.shortest)
    group = {"group": found.group} if found.group else {}
    past = {"covariates": flags} if flags else {}
    section: dict[str, Any] = {"kind": "series", "path": data, "time": found.time, **group, "targets": targets, **past}
    section |= {"context": context, "horizon": horizon, "season": season}
    of = f" in each {found.group}" if found.group else ""
    rises = f"{with_writing(rows, found.time)} rises by {in_time(found.step)}{of}"
    decisions = [f"time: {rises}, so that columns of numbers are forecast"]
    decisions.append("others: task.targets; task.known names those that are known of the future, such as holidays")
    decisions += [f"columns that are not looked at: {', '.join(left)}"] * bool(left)
    return Guess(section, tuple(decisions))


def why_no_series(rows: Any) -> list[str]:
    """A line for a column of times, another one in most rows, by which rows are no series."""
    for name in times(rows):
        if len(rows[name].unique()) > max(1, 0.9 * len(rows)):
            if reason := _irregular(rows, name, _rows_of(rows, "")):
                return [f"{name} is a column of times, but the table is no series: {reason}"]
            if len(rows) < FEWEST:
                return [f"{name} is a column of times, but {len(rows):,} rows are too few for a series"]
    return []


def lengths(step: float, rows: int) -> tuple[int, int, int]:
    """Season, context and horizon for steps of so many seconds, as far as rows reach."""
    a_day = max(1, round(DAY / step))
    usual = [
        (600.0, (1, 64, 8)),
        (3600.0, (a_day, a_day, max(1, a_day // 4))),
        (0.9 * DAY, (a_day, 2 * a_day, a_day)),
        (6.5 * DAY, (7, 28, 7)),
        (25 * DAY, (52, 52, 4)),
        (85 * DAY, (12, 24, 6)),
        (350 * DAY, (4, 12, 4)),
    ]
    season, context, horizon = next((own for below, own in usual if step < below), (1, 8, 1))
    most = int(0.3 * rows)
    return season if season <= most else 1, min(context, most), min(horizon, max(1, rows // 10))


def _times(rows: Any, name: str) -> Times | None:
    """The times of a column, of the whole table or of the groups that another column tells apart."""
    import numpy as np

    when = moments(rows, name)
    for group in ["", *_groups(rows)]:
        own = _rows_of(rows, group)
        if all(len(each) > 1 and (np.diff(when[each]) > 0).all() for each in own) and not _irregular(rows, name, own):
            return Times(name, group, float(np.median(np.diff(when[own[0]]))) / 1e9, min(map(len, own)))
    return None


def _groups(rows: Any) -> list[str]:
    return [
        name
        for name in rows.column_names
        if str(rows[name].type).startswith(("string", "large_string", "dictionary", "int"))
        and 2 <= len(rows[name].unique()) <= min(MOST_SERIES, len(rows) // FEWEST)
        and not rows[name].null_count
    ]


def _irregular(rows: Any, name: str, series: Sequence[Any]) -> str:
    """Why times are none of a series, or of several, each of these rows; "" where they are."""
    from evonas.tasks.series.table import check_times, times_of
    from evonas.tasks.table.dates import dated

    shown = dated(rows, name)[name]
    when = times_of(dated(rows, name), name)  # as the task takes them
    try:
        for own in series:
            check_times(when[own], shown.take(own).to_pylist(), name, "", len(series) > 1)
    except UserError as error:
        return str(error).removeprefix("task.time: ")
    return ""


def _rows_of(rows: Any, group: str) -> list[Any]:
    import numpy as np

    if not group:
        return [np.arange(len(rows))]
    _, numbers, counts = np.unique(np.array(rows[group].to_pylist()), return_inverse=True, return_counts=True)
    return np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])


def _has_classes(rows: Any) -> bool:
    """Whether a column is called a label, and holds classes."""
    named = [name for name in rows.column_names if name.lower() in LABELS]
    return any(
        not str(rows[name].type).startswith(("float", "double")) and len(rows[name].unique()) <= MOST_CLASSES
        for name in named
    )


def _roles(rows: Any, found: Times) -> tuple[list[str], list[str], list[str]]:
    """Columns to forecast, columns of yes and no, and those that are left."""
    import numpy as np

    targets: list[str] = []
    flags: list[str] = []
    left: list[str] = []
    own = _rows_of(rows, found.group)
    for name in rows.column_names:
        if name in (found.time, found.group):
            continue
        if not str(rows[name].type).startswith(("int", "uint", "float", "double", "bool", "decimal")):
            left.append(name)
            continue
        values = np.array([np.nan if each is None else float(each) for each in rows[name].to_pylist()])
        train: Sequence[Any] = [values[part[: int(0.7 * len(part))]] for part in own]
        known = np.concatenate(train)
        different = len(np.unique(known[~np.isnan(known)]))
        if different < 2 or any(np.isnan(part[0]) for part in train) or _counts_rows(values, own):
            left.append(name)
        else:
            (targets if different > 2 else flags).append(name)
    return targets, flags, left


def _counts_rows(values: Any, own: Sequence[Any]) -> bool:
    """Whether a column numbers the rows, of all or of each series."""
    import numpy as np

    return bool((np.diff(values) == 1).all() or all((np.diff(values[part]) == 1).all() for part in own))
