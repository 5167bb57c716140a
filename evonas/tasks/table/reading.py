"""Tables as people have them: CSV, TSV, Parquet and frames of pandas become tables of Arrow."""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evonas.errors import UserError
from evonas.tasks.splitting import parts_among

SUFFIXES = (".csv", ".tsv", ".parquet")
GAPS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "?"]
"""What stands for a value that is not there, in a CSV file."""
LATIN = "perhaps Latin-1 (Windows-1252)"
"""What a table with bytes that are no UTF-8 most often is."""


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


def read(file: Path) -> Any:
    """A `pyarrow.Table` of a CSV, TSV or Parquet file; in a CSV the delimiter is found out.

    Raises:
        UserError: there is no such file, it cannot be read, or it has no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        found = pyarrow.parquet.read_table(file) if file.suffix.lower() == ".parquet" else _read_csv(file)
    except FileNotFoundError:
        raise UserError(f"task.path: no file {file.absolute()}") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"task.path: {file} cannot be read: {str(error).splitlines()[0]}") from None
    check_names(found.column_names, str(file))
    if not len(found):
        raise UserError(f"task.path: {file} has no rows below its names of columns")
    return found


def of_frame(frame: Any, what: str) -> Any:
    """A `pyarrow.Table` of a frame of pandas, without its index.

    Args:
        frame: the frame.
        what: it is, for messages.

    Raises:
        UserError: it is no frame, it has no rows, or a column holds values of several kinds.
    """
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    try:
        named = frame.rename(columns=str)
        found = pa.Table.from_pandas(named, preserve_index=False)
    except AttributeError:
        raise UserError(f"{what}: takes a DataFrame of pandas, not a {type(frame).__name__}") from None
    except (pa.ArrowException, ValueError) as error:
        raise UserError(f"{what}: {str(error).splitlines()[0]}; give each column values of one kind") from None
    check_names(found.column_names, what)
    if not len(found):
        raise UserError(f"{what}: the frame has no rows")
    return found


def check_names(names: Sequence[str], where: str) -> None:
    """Raises UserError where two columns have one name."""
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"task.path: {where} has two columns that are called {', '.join(twice)}; rename one")


def _read_csv(file: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    with open(file, "rb") as opened:
        start = opened.read(len(codecs.BOM_UTF16_LE))
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise _not_utf8(file, "UTF-16")
    with open(file, encoding="utf-8-sig", errors="surrogateescape") as text:
        head = text.readline()
    if any("\udc80" <= character <= "\udcff" for character in head):
        raise _not_utf8(file, LATIN)
    delimiter = max(",;\t|", key=head.count)
    converted = csv.ConvertOptions(null_values=GAPS, strings_can_be_null=True)
    found = csv.read_csv(file, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=converted)
    if any(pa.types.is_binary(kind) for kind in found.schema.types):  # what is no UTF-8 stays bytes
        raise _not_utf8(file, LATIN)
    return found


def _not_utf8(file: Path, encoding: str) -> UserError:
    return UserError(f"task.path: {file} is not UTF-8 text but {encoding}; save it as UTF-8")
