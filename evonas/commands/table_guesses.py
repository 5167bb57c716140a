"""What a table is for: a row an example, a series, texts with classes, or users and items."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evonas.commands.guess import CLASSES, LABELS, LONGEST, MOST_CLASSES, Guess, in_a_line
from evonas.commands.series_guesses import series, why_no_series
from evonas.commands.time_guesses import YEARS, in_numbers, is_when, with_writing
from evonas.errors import UserError

USERS = {"user", "customer", "client", "reviewer", "visitor", "member", "nutzer", "benutzer", "kunde", "kunden"}
ITEMS = {"item", "product", "movie", "article", "song", "track", "book", "artikel", "produkt", "film", "asin", "sku"}
TIMES = {"time", "timestamp", "date", "datetime", "ts", "zeit", "datum"}
IN_TIMES = re.compile(r"at|date|time|when|zeit|datum")
"""A part of the names of columns that hold dates, such as "purchased_at"."""
IDS = re.compile(r"(.*[^a-z])?(id|ids|index|idx|nr|no|key|uuid|number|nummer|unnamed: 0|)|.*_id", re.IGNORECASE)
"""Names of columns that number rows."""
FEW_CLASSES = 10
"""Different texts with numbers in them, such as 10 mg and 20 mg, that are classes."""
WORDS = 3
"""A text has so many on average."""
FEATURES = 2
"""A table of texts has no more columns beside the text, the class and the numbers of rows."""
OFTEN = 3
"""Rows of a user, on average, from which on a table is one of users and items."""


def of_table(data: str, path: Path) -> Guess:
    """The section `task` for a CSV or Parquet file, or a folder of some; where it might be a table, too, it says how.

    Args:
        data: the path as the config names it.
        path: where it is.

    Raises:
        UserError: it cannot be read.
    """
    from evonas.tasks.table import read, table_files
    from evonas.tasks.table.as_numbers import as_numbers

    whole = read(table_files(path)["train"], doubtful=True)
    raw, left = _without_lists(whole, path)
    found = _of_rows(data, path, raw, as_numbers({"train": raw}, (), "", [])[0]["train"])
    return Guess(found.section, (*found.decisions, *left))


def _of_rows(data: str, path: Path, raw: Any, rows: Any) -> Guess:
    """See `of_table`; raw: the table as it was read, rows: the same, with numbers for texts that are some."""
    plain = _plain(data, raw, rows)
    kinds: tuple[Callable[[str, Any], Guess | None], ...] = (_recommendation, series, _texts)
    for kind in kinds[2:] if path.is_dir() else kinds:
        if found := kind(data, rows):
            target = "mse" if plain.section.get("target") else "error"
            other = f"task: {in_a_line(plain.section)} with the space mlp and metric: {target}"
            return Guess(found.section, (*found.decisions, f"to predict a column from the others of its row: {other}"))
    return Guess(plain.section, (*plain.decisions, *([] if path.is_dir() else why_no_series(rows))))


def ids_of(rows: Any, but: str = "") -> list[str]:
    """Columns that number rows: whole numbers, another one in each, by their names or because they count from 0 or 1.

    Args:
        rows: a `pyarrow.Table`.
        but: a column that is none.
    """
    import numpy as np

    whole = [name for name in rows.column_names if name != but and str(rows[name].type).startswith(("int", "uint"))]
    single = [name for name in whole if len(rows[name].unique()) == len(rows) > 1 and not rows[name].null_count]
    named = [name for name in single if IDS.fullmatch(name)]
    values = {name: rows[name].to_numpy() for name in single}
    counts = [name for name in single if values[name][0] in (0, 1) and (np.diff(values[name]) == 1).all()]
    features = [name for name in rows.column_names if name not in (but, *named, *counts) and _varies(rows, name)]
    return [name for name in single if name in named or (name in counts and features)]


def _without_lists(rows: Any, path: Path) -> tuple[Any, list[str]]:
    """The table without columns of lists and the like, of which Arrow cannot tell whether two values are the same, and
    a line that says so.

    Raises:
        UserError: nothing is left.
    """
    left = [name for name in rows.column_names if not _can_be_compared(rows[name])]
    if len(left) == len(rows.column_names):
        kinds = ", ".join(f"{name} ({rows[name].type})" for name in left)
        raise UserError(f"{path}: no column holds numbers, texts or dates: {kinds}; make columns of what is in them")
    named = ", ".join(f"{name} ({rows[name].type})" for name in left)
    return rows.drop_columns(left), [f"columns that no network can take: {named}"] * bool(left)


def _can_be_compared(column: Any) -> bool:
    import pyarrow as pa

    try:
        column.slice(0, 1).unique()
    except pa.ArrowNotImplementedError:
        return False
    return True


def _plain(data: str, raw: Any, rows: Any) -> Guess:
    """A row an example.

    Args:
        data: the path as the config names it.
        raw: the table as it was read.
        rows: the same, with numbers for texts that are some.
    """
    from evonas.tasks.labels import whole

    columns = rows.column_names
    named = _label(columns)
    ids = ids_of(rows)
    label, last = (named, "by its name") if named else _last(rows, ids)
    decisions = [f"label: {label} ({last}); another one: task.label"]
    kind, different = str(rows[label].type), len(rows[label].unique())
    few = str(raw[label].type) != kind and different <= FEW_CLASSES
    floats = kind.startswith(("float", "double")) and not few
    values = floats or (kind.startswith("int") and different > MOST_CLASSES)
    if values:
        what = f"has {different:,} different whole numbers" if kind.startswith("int") else "is float"
        classes = CLASSES if kind.startswith("int") or whole(rows[label].drop_null().to_numpy()) else ""
        decisions.append(f"{label} {what}: values are predicted{classes}")
    if ignore := ids_of(rows, label):
        decisions.append(f"ignored: {', '.join(ignore)} (as many values as rows); others: task.ignore")
    options = {**({"target": "values"} if values else {}), **({"ignore": ignore} if ignore else {})}
    return Guess({"kind": "table", "path": data, "label": label, **options}, tuple(decisions))


def _last(rows: Any, ids: list[str]) -> tuple[str, str]:
    """The last column that can be predicted, and how it was chosen: when a row was is seldom what is asked for."""
    columns = rows.column_names
    differ = [name for name in columns[::-1] if name not in ids and _varies(rows, name)]
    label = next((name for name in differ if not _is_when(rows, name)), next(iter(differ), columns[-1]))
    if label == columns[-1]:
        return label, "the last column"
    return label, f"the last column that {'differs' if label == next(iter(differ)) else 'is no time'}"


def _is_when(rows: Any, name: str) -> bool:
    """Whether a column holds dates, or is called a time and holds times."""
    return is_when(rows, name) or (bool(_called([name], TIMES)) and _is_time(rows, name))


def _label(columns: list[str]) -> str:
    return next((name for name in columns if name.lower() in LABELS), "")


def _varies(rows: Any, name: str) -> bool:
    return len(rows[name].unique()) > 1


def _texts(data: str, rows: Any) -> Guess | None:
    """Texts of several words, nearly each another one, and a class of few different values."""
    columns = rows.column_names
    lengths = {name: length for name in columns if (length := _length_of_texts(rows[name]))}
    if not lengths:
        return None
    text = max(lengths, key=lambda name: lengths[name])
    others = [name for name in columns if name != text]
    named = [name for name in others if name == _label(columns)]
    label = next((name for name in [*named, *others[::-1]] if _is_class(rows[name])), "")
    ids = ids_of(rows, label)
    features = [name for name in others if name not in (label, *ids) and _varies(rows, name)]
    if not label or len(features) > FEATURES:
        return None
    section = {
        "kind": "text_table",
        "path": data,
        "text": text,
        "label": label,
        "characters": min(LONGEST, lengths[text]),
    }
    left = [name for name in others if name != label]
    decisions = [f"text: {text} (words, another text in most rows); another one: task.text"]
    decisions.append(f"label: {label} ({'by its name' if named else 'few different values'}); another one: task.label")
    decisions += [f"columns that are not looked at: {', '.join(left)}"] * bool(left)
    return Guess(section, tuple(decisions))


def _length_of_texts(column: Any) -> int:
    """Characters of the longest text of a column; 0 where it holds no texts of several words."""
    from evonas.tasks.table.dates import format_of

    if str(column.type) not in ("string", "large_string") or format_of(column):
        return 0
    texts = [text for text in column.to_pylist() if text and text.strip()]
    if not texts or 2 * len({*texts}) < len(texts):
        return 0
    return max(map(len, texts)) if sum(len(text.split()) for text in texts) >= WORDS * len(texts) else 0


def _is_class(column: Any) -> bool:
    kind, different = str(column.type), len(column.drop_null().unique())
    return kind.startswith(("string", "large_string", "dictionary", "int", "bool")) and 2 <= different <= min(
        MOST_CLASSES, len(column) // 5
    )


def _recommendation(data: str, rows: Any) -> Guess | None:
    """Users and items, where columns are called so and most users took several."""
    columns = rows.column_names
    user, item = _called(columns, USERS), _called(columns, ITEMS)
    if not user or not item or _label(columns) or rows[user].null_count or rows[item].null_count:
        return None
    if OFTEN * len(rows[user].unique()) > len(rows) or not _varies(rows, item):
        return None
    time = _when(rows, user, item)
    when = with_writing(rows, time) if time else "the order of rows"
    left = [name for name in columns if name not in (user, item, time)]
    section = {"kind": "recommendation", "path": data, "user": user, "item": item, **({"time": time} if time else {})}
    decisions = [f"user: {user}, item: {item}, time: {when} (by their names)"]
    decisions += [f"columns that are not looked at: {', '.join(left)}"] * bool(left)
    return Guess(section, tuple(decisions))


def _when(rows: Any, user: str, item: str) -> str:
    """The column of when something was taken: by its name, or times in one of whose name a time is a part; not those
    that are of users or items themselves, such as a birthday and the year of a film. "" where there is none."""
    columns = rows.column_names
    named = _called(columns, TIMES)
    if named and _is_time(rows, named):
        return named
    for name in columns:
        told = IN_TIMES.search(name.lower()) or in_numbers(rows, name)
        if not told or name in (user, item) or in_numbers(rows, name) == YEARS or not _is_when(rows, name):
            continue
        if all(_pairs(rows, own, name) > len(rows[own].unique()) for own in (user, item)):
            return str(name)
    return ""


def _pairs(rows: Any, *names: str) -> int:
    return len(rows.select(names).group_by(names).aggregate([]))


def _called(columns: list[str], names: set[str]) -> str:
    """The first column of these names, with or without an id behind them."""
    for name in columns:
        plain = re.sub(r"[^a-zäöü]", "", name.lower())
        if plain in names or re.sub(r"(id|nr|no|number)$", "", plain) in names:
            return str(name)
    return ""


def _is_time(rows: Any, name: str) -> bool:
    from evonas.tasks.series.table import times_of
    from evonas.tasks.table.dates import dated

    try:
        times_of(dated(rows, name), name)
    except UserError:
        return False
    return True
