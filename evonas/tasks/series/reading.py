"""The series of a table: one, or one for each value of a column."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.series.table import Series, check_times, filled, numbers, times_of
from evonas.tasks.table.as_numbers import Decimal, as_numbers
from evonas.tasks.table.dates import dated


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table by what they are. A column has one role.

    Args:
        targets: to forecast; of windows with classes: what these are told by.
        covariates: known of the past alone.
        known: known of the future, too.
        time: when; "" where rows are in order.
        group: of which series a row is; "" where there is one.
        label: the class; "" where values are forecast.
    """

    targets: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    time: str = ""
    group: str = ""
    label: str = ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Those that a network sees, in order."""
        return (*self.targets, *self.covariates, *self.known)

    def check(self, there: Sequence[str]) -> None:
        """
        Raises:
            UserError: one of them is not there, or has two roles.
        """
        roles: dict[str, str] = {}
        for option in ("targets", "covariates", "known", "time", "group", "label"):
            own = getattr(self, option)
            for name in own if isinstance(own, tuple) else (own,) * bool(own):
                if name not in there:
                    raise UserError(f"task.{option}: {unknown(name, there)}")
                if name in roles:
                    raise UserError(f"task.{option}: {name} is named in task.{roles[name]} already; name it once")
                roles[name] = option


def series_of(rows: Any, columns: Columns, notes: list[str], decimal: Decimal = "") -> list[Series]:
    """The series of a `pyarrow.Table`, each in the order of its time; adds notes of what was filled.

    Args:
        rows: of the table.
        columns: of it, by what they are.
        notes: for people.
        decimal: what its texts write before decimal places; "" where they say it.

    Raises:
        UserError: a column is not there or holds something else, or times are none that a forecast can be made of.
    """
    columns.check(rows.column_names)
    if not len(rows):
        raise UserError("task.path: the table has no rows")
    others = {name for name in rows.column_names if name not in columns.channels}
    rows = as_numbers({"train": rows}, others, decimal, notes)[0]["train"]
    rows = dated(rows, columns.time) if columns.time else rows
    options = {name: option for option in ("targets", "covariates", "known") for name in getattr(columns, option)}
    values = np.stack([numbers(rows, name, options[name]) for name in columns.channels], axis=1)
    times = times_of(rows, columns.time) if columns.time else None
    labels = _texts(rows, columns.label) if columns.label else None
    gaps: Counter[str] = Counter()
    found = []
    for name, own in _groups(rows, columns.group).items():
        where = f" of {columns.group} {name}" if columns.group else ""
        if times is not None:
            shown = rows[columns.time].take(own).to_pylist()
            check_times(times[own], shown, columns.time, where, bool(columns.group))
        full = filled(values[own], columns.channels, where, gaps)
        when = times[own] if times is not None else np.arange(len(own))
        found.append(Series(name, full, when, None if labels is None else labels[own]))
    if named := ", ".join(f"{name} ({count:,})" for name, count in gaps.items() if count):
        notes.append(f"gaps are filled with the value before them: {named}")
    return found


def _groups(rows: Any, column: str) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Name of a series -> its rows in the order of the table."""
    if not column:
        return {"": np.arange(len(rows))}
    names = _texts(rows, column)
    if (missing := np.flatnonzero(names == "")).size:
        raise UserError(f"task.group: {column} has no value in row {missing[0] + 1:,}; say of which series each row is")
    return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}


def _texts(rows: Any, column: str) -> np.ndarray[Any, np.dtype[np.object_]]:
    """(n,) texts, "" in gaps."""
    return np.array(["" if value is None else str(value) for value in rows[column].to_pylist()], object)
