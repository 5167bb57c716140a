"""Columns of texts that hold numbers become numbers: one room for all that read tables."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np

from evonas.errors import UserError
from evonas.tasks.table.record import Writing
from evonas.tasks.table.writing import Reading, as_missing, read_as, reading_of

Decimal = Literal["", ".", ","]
TRIED = 50
"""Different texts by which most columns are found to hold no numbers."""
PLAIN = Reading(Writing(), {}).in_words()


def as_numbers(
    tables: Mapping[str, Any], texts: Collection[str], decimal: Decimal, notes: list[str]
) -> tuple[dict[str, Any], dict[str, Writing]]:
    """Tables of Arrow whose columns of written numbers are numbers, and how these were written; adds notes.

    Args:
        tables: part -> its table; the training rows say how a column is written.
        texts: columns that stay as they are.
        decimal: what the tables write before decimal places; "" where their texts say it.
        notes: for people.

    Raises:
        UserError: another part writes them in another way.
    """
    train = tables["train"]
    names = [name for name in train.column_names if name not in texts and _is_text(train[name].type)]
    counted = {name: own for name in names if (own := _counts(train[name]))}
    usual = decimal or _usual(train, counted)
    readings = {name: found for name, own in counted.items() if (found := reading_of(own, decimal, usual))}
    readings = {name: found for name, found in readings.items() if not found.is_plain}
    notes += _notes(readings)
    written = {name: found.writing for name, found in readings.items()}
    return {part: converted(rows, written, part) for part, rows in tables.items()}, written


def converted(rows: Any, written: Mapping[str, Writing], part: str) -> Any:
    """A table with numbers in columns of texts that hold some; what is no number becomes a gap.

    Args:
        rows: a `pyarrow.Table`.
        written: column -> how the rows that networks learned from write numbers; a column of numbers stays.
        part: what it is, for messages.

    Raises:
        UserError: a column writes them in another way.
    """
    for name, writing in written.items():
        if name in rows.column_names and _is_text(rows[name].type):
            rows = rows.set_column(rows.column_names.index(name), name, _column(rows[name], name, writing, part))
    return rows


def _column(column: Any, name: str, writing: Writing, part: str) -> Any:
    import pyarrow as pa

    coded = column.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    different, places = coded.dictionary.to_pylist(), coded.indices
    counts = Counter(text for text in column.to_pylist() if text is not None)
    numbers = read_as(counts, writing) if counts else {}
    if numbers is None:
        other = next(text for text in counts if not read_as({text: 1}, writing))
        how = Reading(writing, {"1,5": 1.5}).in_words()
        raise UserError(f"task.path: {part}: the column {name} has {other[:40]!r}; the training rows hold {how}")
    values = pa.array([numbers.get(text) for text in different], pa.float64())
    return pa.chunked_array([values.take(places)])


def _is_text(kind: Any) -> bool:
    return str(kind) in ("string", "large_string")


def _counts(column: Any) -> dict[str, int]:
    """Text -> how often it is there; nothing where the first ones are no numbers."""
    pairs = column.drop_null().value_counts()
    some = {str(pair["values"]): 1 for pair in pairs.slice(0, TRIED).to_pylist()}
    numbers = sum(reading_of({text: 1}) is not None for text in some)
    if 2 * numbers < len(some):
        return {}
    return {str(pair["values"]): int(pair["counts"]) for pair in pairs.to_pylist()}


def _usual(train: Any, counted: Mapping[str, Mapping[str, int]]) -> str:
    """The decimal sign of columns that leave no doubt, which is that of a whole table."""
    found = Counter(own.writing.decimal for texts in counted.values() if (own := reading_of(texts)) and own.certain)
    found["."] += sum(str(train[name].type) in ("float", "double") for name in train.column_names)
    return "," if found[","] > found["."] else "."


def _notes(readings: Mapping[str, Reading]) -> list[str]:
    alike: dict[str, list[str]] = defaultdict(list)
    for name, found in readings.items():
        alike[found.in_words()].append(name)
    alike.pop(PLAIN, None)
    notes = [f"{', '.join(names)}: {how}" for how, names in alike.items()]
    for name, found in readings.items():
        if found.doubtful:
            other = "." if found.writing.decimal == "," else ","
            number = np.format_float_positional(found.numbers[found.doubtful], trim="-")
            notes.append(f'{name}: {found.doubtful} is read as {number}; where that is wrong: decimal: "{other}"')
        if found.missing:
            notes.append(as_missing(name, found.missing, "number"))
    return notes
