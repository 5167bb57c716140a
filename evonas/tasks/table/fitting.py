"""What is made of each column of a table: found out by its training rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import natural
from evonas.tasks.table.dates import Dates, dates_of, days, moments, texts_of
from evonas.tasks.table.encoder import LOSSY, SINGLE, Encoder, texts, values
from evonas.tasks.table.record import CategoryColumn, NumberColumn, TableRecord
from evonas.tasks.table.writing import as_missing
from evonas.tasks.task import Array

NUMERIC = ("int", "uint", "float", "double", "half", "bool", "decimal")
TEXTS = ("string", "large_string")
TEXTUAL = (*TEXTS, "dictionary")
DATED = ("date", "timestamp")
NOTHING = "no column of numbers, texts or dates is left to learn from"
SAME = "the same in all rows"
FARTHEST = np.finfo(np.float64).max / 4
"""Half of the distance of two numbers of a column, at most."""
NAMED = 60
"""Features that a note names."""


@dataclass
class Found:
    """What has been found out of columns so far."""

    most_values: int
    numbers: list[NumberColumn] = field(default_factory=list)
    categories: list[CategoryColumn] = field(default_factory=list)
    dates: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    wide: bool = False

    def number(self, column: str, numbers: Array, part: Any = "value") -> bool:
        """Add a feature of numbers (n,), unless it is the same in all rows; whether it was added.

        Raises:
            UserError: the largest and the smallest are so far apart that no number says how far.
        """
        known, gaps = numbers[~np.isnan(numbers)], bool(np.isnan(numbers).any())
        if not len(known) or (known.min() == known.max() and not gaps):
            return False
        if known.max() / 2 - known.min() / 2 > FARTHEST:
            raise UserError(
                f"task.path: the column {column} holds numbers from {known.min():g} to {known.max():g}, which are too "
                f"far apart to be told how far; mark what is no number as missing, or name it in task.ignore"
            )
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        # Holzmueller et al. 2024, section 3: where the quartiles are alike, half of the whole range
        spread = high - low or (known.max() - known.min()) / 2
        scale = float(1 / spread) if spread else 0.0
        narrow = known.clip(*SINGLE).astype(np.float32)
        self.wide |= bool(np.abs(known / 2 - narrow / 2).max() * scale > LOSSY / 2)
        made = NumberColumn(column=column, part=part, middle=float(middle), scale=scale, gaps=gaps)
        self.numbers.append(made)
        return True

    def category(self, column: str, found: Array, part: Any = "value") -> bool:
        """Add a column of categories, texts (n,) or None, unless it is the same in all rows; whether it was added."""
        counts = Counter(text for text in found.tolist() if text is not None)
        gaps = sum(counts.values()) < len(found)
        if len(counts) + gaps < 2:
            return False
        frequent = [text for text, count in counts.most_common(self.most_values) if count > 1]
        made = CategoryColumn(
            column=column, part=part, values=tuple(sorted(frequent or list(counts)[:1], key=natural)), gaps=gaps
        )
        if more := len(counts) - len(made.values):
            self.others.append(f"{made.name} ({more:,} of {len(counts):,} values)")
        self.categories.append(made)
        return True

    def date(self, column: str, rows: Any, written: str) -> bool:
        """Add what networks take of dates: days, and where they differ month, weekday and hour."""
        when = moments(rows, written)
        parts = ["month", "weekday", *(["hour"] if (when[~np.isnat(when)].astype(np.int64) % 86_400).any() else [])]
        added = [self.number(column, days(when), "days")]
        added += [self.category(column, texts_of(when, part), part) for part in parts]
        self.dates[column] = written
        return any(added)


def fitted(rows: Any, columns: Sequence[str], categories: Sequence[str], most_values: int, notes: list[str]) -> Encoder:
    """The encoder of training rows; adds notes of what it makes of columns and leaves out.

    Args:
        rows: a `pyarrow.Table` of training rows.
        columns: those to take.
        categories: those of them that hold names, though they are numbers.
        most_values: of a column of texts that have a number each.
        notes: for people.

    Raises:
        UserError: no column is left.
    """
    found = Found(most_values)
    for name in columns:
        if reason := _taken(found, rows[name], name, name in categories):
            found.left_out.append(f"{name} ({reason})")
    if not found.numbers and not found.categories:
        why = f"; left out: {', '.join(found.left_out)}" if found.left_out else ""
        raise UserError(f"task.path: {NOTHING}{why}")
    notes += _notes(found)
    record = TableRecord(numbers=tuple(found.numbers), categories=tuple(found.categories), dates=found.dates)
    return Encoder(record, found.wide)


def _taken(found: Found, column: Any, name: str, as_category: bool) -> str:
    """Take a column; why it is left out, where it is."""
    kind = str(column.type)
    if kind == "null" or column.null_count == len(column):
        return "empty"
    if kind.startswith(NUMERIC) and not as_category:
        added = found.number(name, values(column, name))
    elif kind.startswith(DATED):
        added = found.date(name, column, "")
    elif kind.startswith((*TEXTUAL, *NUMERIC)):
        dates = dates_of(column) if not as_category and kind.startswith(TEXTS) else None
        if dates and dates.are_most:
            added = found.date(name, column, dates.written)
            found.doubts += [as_missing(name, dates.odd, "date")] * bool(dates.odd)
        else:
            found.doubts += _no_dates(name, dates)
            own = texts(column)
            different = len({text for text in own.tolist() if text is not None})
            if different > found.most_values and 2 * different > len(own):
                return f"{different:,} different texts in {len(own):,} rows"
            added = found.category(name, own)
    else:
        return kind
    return "" if added else alike(column)


def _no_dates(name: str, dates: Dates | None) -> list[str]:
    """Why a column that has dates is none of dates."""
    if not dates:
        return []
    odd = sum(dates.odd.values())
    return [
        f"{name}: not taken for dates, for {odd:,} of {dates.count:,} texts are none as {dates.written}, such as "
        f"{next(iter(dates.odd))[:40]!r}; where these are missing, leave them empty"
    ]


def alike(column: Any) -> str:
    """Why a column that has values tells nothing."""
    from pyarrow import compute

    known = column.drop_null()
    if compute.count_distinct(known).as_py() < 2:
        return SAME
    if str(column.type).startswith(NUMERIC) and np.isnan(values(column, "")).all():
        return "no number is finite"
    return f"its values, such as {known[0]}, are one number in float64; where they are names: task.categories"


def _notes(found: Found) -> list[str]:
    notes = [*found.doubts]
    if found.left_out:
        notes.append(f"columns that are left out: {', '.join(found.left_out)}")
    if found.dates:
        how = ", ".join(f"{name} ({written})" if written else name for name, written in found.dates.items())
        notes.append(f"dates, taken as days, month, weekday and hour as far as they differ: {how}")
    if gaps := [each.name for each in found.numbers if each.gaps]:
        notes.append(f"gaps are filled with the median, and marked by a feature each, in {', '.join(gaps)}")
    if gaps := [each.name for each in found.categories if each.gaps]:
        notes.append(f"gaps are a category of their own in {', '.join(gaps)}")
    if found.others:
        notes.append(f"rare values are taken together, with any that training has not: {', '.join(found.others)}")
    if found.numbers:
        notes.append(_listed([each.name for each in found.numbers], "number"))
    if found.categories:
        named = [f"{each.name} ({len(each.values):,} values)" for each in found.categories]
        notes.append(_listed(named, "column of categories", "columns of categories"))
    return notes


def _listed(names: Sequence[str], noun: str, plural: str = "") -> str:
    more = len(names) - NAMED
    kind = noun if len(names) == 1 else plural or f"{noun}s"
    return f"{len(names):,} {kind}: {', '.join(names[:NAMED])}" + (f" and {more:,} more" if more > 0 else "")
