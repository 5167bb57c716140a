"""Tables as people have them: CSV, TSV, Parquet and frames of pandas become tables of Arrow."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.splitting import parts_among
from evonas.tasks.table.encodings import by_start, checked, excel, first_line, head_is_utf8, wrong_encoding
from evonas.tasks.table.frames import as_arrow, in_words, plain

SUFFIXES = (".csv", ".tsv", ".parquet")
GAPS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "?"]
"""What stands for a value that is not there, in a CSV file."""
INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index without a name in a Parquet file; it is no column."""
THOUSANDS = r"^[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})?|0)$"
"""A number with three decimal places, or a thousand times as much."""


def table_files(where: Path, kind: str = "table") -> dict[str, Path]:
    """Part -> its file, of a file or a folder; UserError where there is none of training examples. kind: of the task,
    for messages."""
    if not where.is_dir():
        if where.exists() and where.suffix.lower() not in SUFFIXES:
            raise UserError(f"task.path: {where}: kind {kind} reads {', '.join(SUFFIXES)}")
        return {"train": where}
    files = {file.stem: file for file in sorted(where.iterdir()) if file.suffix.lower() in SUFFIXES}
    parts = parts_among(files, f"task.path: {where}")
    if "train" not in parts:
        there = ", ".join(files) or "no table"
        raise UserError(f"task.path: {where} has no file train.csv or train.parquet ({there})")
    return {part: files[name] for part, name in parts.items()}


def read(
    file: Path, encoding: str = "", notes: list[str] | None = None, decimal: str = "", doubtful: bool = False
) -> Any:
    """A `pyarrow.Table` of a CSV, TSV or Parquet file; in a CSV the delimiter is found out.

    Args:
        file: to read.
        encoding: of a CSV file; default: UTF-8, else what it looks like, which is said.
        notes: for people; of a guess.
        decimal: what a CSV file writes before decimal places; "" for a point.
        doubtful: numbers of which all have three decimal places, which may be thousands, stay texts.

    Raises:
        UserError: there is no such file, it cannot be read, or it has no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet

    said: list[str] = [] if notes is None else notes
    try:
        if file.suffix.lower() == ".parquet":
            found = pyarrow.parquet.read_table(file)
            found = plain(found.drop_columns([name for name in found.column_names if INDEX.fullmatch(name)]))
        else:
            found = _read_csv(file, encoding, said, decimal, doubtful)
    except FileNotFoundError:
        raise UserError(f"task.path: no file {file.absolute()}") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"task.path: {file} cannot be read: {str(error).splitlines()[0]}") from None
    check_names(found.column_names, f"task.path: {file}")
    if not len(found):
        raise UserError(f"task.path: {file} has no rows below its names of columns")
    return found


def of_frame(frame: Any, what: str) -> Any:
    """A `pyarrow.Table` of a frame.

    Args:
        frame: as `as_arrow` takes it.
        what: it is, for messages.

    Raises:
        UserError: it is no frame, it has no rows, or a column holds values of several kinds.
    """
    import pyarrow as pa

    try:
        names = frame.column_names if isinstance(frame, pa.Table) else getattr(frame, "columns", ())
        check_names([*map(str, names)], what)
        found = as_arrow(frame)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UserError(f"{what}: {str(error).splitlines()[0]}; give each column values of one kind") from None
    if found is None:
        raise UserError(f"{what}: takes a frame of pandas or Polars, or a table of Arrow, not a {in_words(frame)}")
    if not len(found):
        raise UserError(f"{what}: the frame has no rows")
    return found


def check_names(names: Sequence[str], where: str) -> None:
    """Raises UserError where two columns have one name."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{where} has two columns that are called {', '.join(twice)}; rename one")


def _read_csv(file: Path, encoding: str, notes: list[str], decimal: str, doubtful: bool) -> Any:
    import pyarrow as pa

    known = checked(encoding) or by_start(file)
    found = (
        None if not known and not head_is_utf8(file) else _parsed(file, known or "utf-8", decimal, guessed=not encoding)
    )
    if found is None or any(pa.types.is_binary(kind) for kind in found.schema.types):  # what is no UTF-8 stays bytes
        if known:
            raise wrong_encoding(file, known, not encoding)
        known, note = excel(file)
        notes.append(note)
        found = _parsed(file, known, decimal)
    check_names(found.column_names, f"task.path: {file}")
    if doubtful and not decimal and (names := [name for name in found.column_names if _may_be_thousands(found[name])]):
        as_texts = _parsed(file, known or "utf-8", texts=names)
        for name in (name for name in names if _are_thousands(as_texts[name])):
            found = found.set_column(found.column_names.index(name), name, as_texts[name])
    return found


def _parsed(file: Path, encoding: str, decimal: str = "", texts: Sequence[str] = (), guessed: bool = False) -> Any:
    """The table, or these columns of it as texts."""
    import pyarrow as pa
    from pyarrow import csv

    head = first_line(file, encoding)
    delimiter = max(",;\t|", key=head.count)
    converted = csv.ConvertOptions(
        null_values=GAPS,
        strings_can_be_null=True,
        decimal_point=decimal or ".",
        include_columns=list(texts) or None,
        column_types={name: pa.string() for name in texts},
    )
    parsed = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    try:
        return csv.read_csv(file, csv.ReadOptions(encoding=encoding), parsed, converted)
    except UnicodeError:
        raise wrong_encoding(file, encoding, guessed) from None


def _may_be_thousands(column: Any) -> bool:
    """Whether numbers have three decimal places at most, and none is a thousand or more, as 1.234 of 1.234."""
    if str(column.type) != "double":
        return False
    known = column.drop_null().to_numpy()
    if not len(known) or np.abs(known).max() >= 1000:
        return False
    thousands = known * 1000
    return bool(np.allclose(thousands, np.rint(thousands), rtol=0, atol=1e-6) and (known % 1).any())


def _are_thousands(column: Any) -> bool:
    """Whether numbers of texts have three decimal places each, or none."""
    from pyarrow import compute

    found: bool = compute.all(compute.match_substring_regex(column, THOUSANDS)).as_py()
    return found
