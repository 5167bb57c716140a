"""Task kind `table`: rows of CSV or Parquet files, with gaps, texts and classes of any kind."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.arrays import Target
from evonas.tasks.class_folders import natural
from evonas.tasks.constructors import classification, regression
from evonas.tasks.room import STREAMED, check_room, size_of
from evonas.tasks.splitting import completed, parts_among
from evonas.tasks.task import Array, Split, Task

SUFFIXES = (".csv", ".tsv", ".parquet")
GAPS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "none", "?"]
"""What stands for a value that is not there, in a CSV file."""
LATIN = "perhaps Latin-1 (Windows-1252)"
"""What a table with bytes that are no UTF-8 most often is."""
FEATURES_NAMED = 60
IMBALANCE = 0.8
"""Share of the largest class from which on a note says that the error tells little."""


def table(
    *,
    path: str,
    label: str,
    target: Target = "classes",
    ignore: tuple[str, ...] = (),
    most_values: int = 50,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] | None = None,
) -> Task:
    """A CSV or Parquet file with a row an example, or a folder with train.csv and maybe valid.csv and test.csv.

    Columns of numbers are a feature each, columns of texts one for each value that training has. A gap in a column of
    numbers is filled with its median, and a feature says where it was; a gap among texts is none of their values.
    Columns of anything else, such as dates, are left out, which is said.

    Args:
        path: the file or folder.
        label: the column to predict. Rows without it are left out.
        target: what it holds: classes (texts or whole numbers) or values to predict.
        ignore: columns that are no features, such as an index.
        most_values: a column with more different texts than this is left out.
        valid_fraction: of the training examples, where there is no file `valid`.
        test_fraction: of the training examples, where there is no file `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first; default: error, or mse of values.

    Raises:
        UserError: there is no such file or column, it cannot be read, or nothing is left to learn from.
    """
    where = expanded(path, "task.path")
    files = table_files(where)
    instead = f"give fewer rows, or make numbers of them and {STREAMED}"
    check_room("task.path", f"the rows of {where}", size_of(files.values()), not {"valid", "test"} <= {*files}, instead)
    tables = {part: read(file) for part, file in files.items()}
    columns = tables["train"].column_names
    for option, names in (("label", (label,)), ("ignore", ignore)):
        for name in names:
            if name not in columns:
                raise UserError(f"task.{option}: {unknown(name, columns)}")
    notes: list[str] = []
    tables = _labelled(tables, label, notes)
    encoder = fitted(tables["train"], [name for name in columns if name not in (label, *ignore)], most_values, notes)
    x = {part: encoder(rows, part) for part, rows in tables.items()}
    fractions, name = (valid_fraction, test_fraction), where.stem
    if target == "values":
        y = {part: _values(rows[label], label) for part, rows in tables.items()}
        given = {part: Split(x[part], y[part]) for part in tables}
        return regression(name, completed(given, *fractions, split_seed, False), metrics or ("mse",), notes)
    texts = {part: [str(value) for value in rows[label].to_pylist()] for part, rows in tables.items()}
    classes = sorted({text for part in texts.values() for text in part}, key=natural)
    numbers = {text: number for number, text in enumerate(classes)}
    given = {part: Split(x[part], np.array([numbers[text] for text in texts[part]], np.int64)) for part in tables}
    largest = np.bincount(given["train"].y).max() / len(given["train"])
    if largest > IMBALANCE and (metrics or ("error",))[0] in ("error", "accuracy"):
        notes.append(
            f"one class has {100 * largest:.0f} % of the examples, so that an error of {100 * (1 - largest):.0f} % is "
            "reached without learning; metrics: [f1, error] tells more"
        )
    splits = completed(given, *fractions, split_seed)
    return classification(name, splits, metrics or ("error",), classes, notes)


def read(file: Path) -> Any:
    """A `pyarrow.Table` of a CSV, TSV or Parquet file; in a CSV the delimiter is found out.

    Raises:
        UserError: there is no such file, or it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        found = pyarrow.parquet.read_table(file) if file.suffix.lower() == ".parquet" else _read_csv(file)
    except FileNotFoundError:
        raise UserError(f"task.path: no file {file.absolute()}") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"task.path: {file} cannot be read: {str(error).splitlines()[0]}") from None
    if twice := sorted({name for name in found.column_names if found.column_names.count(name) > 1}):
        raise UserError(f"task.path: {file} has two columns that are called {', '.join(twice)}; rename one")
    return found


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


@dataclass(frozen=True, slots=True)
class Encoder:
    """Makes features of rows as it did of those that it was fitted to.

    Args:
        medians: column of numbers -> what fills its gaps.
        gaps: those of them that have gaps, each with a feature that is 1 in a gap.
        values: column of texts -> its values, each a feature.
    """

    medians: Mapping[str, float]
    gaps: tuple[str, ...]
    values: Mapping[str, Sequence[str]]

    @property
    def features(self) -> list[str]:
        """Their names, in order."""
        texts = [f"{name}={value}" for name, values in self.values.items() for value in values]
        return [*self.medians, *(f"{name} is missing" for name in self.gaps), *texts]

    def __call__(self, rows: Any, part: str) -> Array:
        """(n, features) float32; UserError where a column is not there, or holds something else."""
        for name in (*self.medians, *self.values):
            if name not in rows.column_names:
                raise UserError(f"task.path: {part} has no column {name}; it has {', '.join(rows.column_names)}")
        numbers = {name: _values(rows[name], name) for name in self.medians}
        filled = [np.where(np.isnan(numbers[name]), middle, numbers[name]) for name, middle in self.medians.items()]
        missing = [np.isnan(numbers[name]) for name in self.gaps]
        texts = [np.array(rows[name].to_pylist(), object) == v for name, values in self.values.items() for v in values]
        return np.stack([*filled, *missing, *texts], axis=1).astype(np.float32)


def fitted(rows: Any, columns: Sequence[str], most_values: int, notes: list[str]) -> Encoder:
    """The encoder of training rows; adds notes of what it fills and leaves out.

    Raises:
        UserError: no column is left.
    """
    medians: dict[str, float] = {}
    gaps, left_out, values = [], [], {}
    for name in columns:
        column, kind = rows[name], str(rows[name].type)
        if kind.startswith(("int", "uint", "float", "double", "half", "bool", "decimal")):
            numbers = _values(column, name)
            if np.isnan(numbers).all():
                left_out.append(f"{name} (empty)")
                continue
            medians[name] = float(np.nanmedian(numbers))
            if np.isnan(numbers).any():
                gaps.append(name)
        elif kind.startswith(("string", "large_string", "dictionary")):
            found = sorted({value for value in column.to_pylist() if value is not None}, key=lambda v: natural(str(v)))
            if 0 < len(found) <= most_values:
                values[name] = found
            else:
                left_out.append(f"{name} ({len(found):,} different texts)")
        else:
            left_out.append(f"{name} ({'empty' if kind == 'null' else kind})")
    if left_out:
        notes.append(f"columns that are left out: {', '.join(left_out)}")
    if gaps:
        notes.append(f"gaps are filled with the median, and marked by a feature each, in {', '.join(gaps)}")
    encoder = Encoder(medians, tuple(gaps), values)
    features = encoder.features
    if not features:
        raise UserError("task.path: no column of numbers or texts is left to learn from")
    more = len(features) - FEATURES_NAMED
    named = ", ".join(features[:FEATURES_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    notes.append(f"{len(features):,} features: {named}")
    return encoder


def table_files(where: Path) -> dict[str, Path]:
    """Part -> its file, of a file or a folder; UserError where there is none of training examples."""
    if not where.is_dir():
        if where.exists() and where.suffix.lower() not in SUFFIXES:
            raise UserError(f"task.path: {where}: kind table reads {', '.join(SUFFIXES)}")
        return {"train": where}
    files = {file.stem: file for file in sorted(where.iterdir()) if file.suffix.lower() in SUFFIXES}
    parts = parts_among(files, f"task.path: {where}")
    if "train" not in parts:
        there = ", ".join(files) or "no table"
        raise UserError(f"task.path: {where} has no file train.csv or train.parquet ({there})")
    return {part: files[name] for part, name in parts.items()}


def _labelled(tables: Mapping[str, Any], label: str, notes: list[str]) -> dict[str, Any]:
    """Without rows that have no target, and without a test split that has none at all."""
    left = {}
    for part, rows in tables.items():
        known = rows.filter(rows[label].is_valid()) if label in rows.column_names else rows.slice(0, 0)
        if part == "test" and not len(known):
            notes.append(f"the test split is left out: it has no {label}")
            continue
        if not len(known):
            raise UserError(f"task.path: {part} has no rows with {label}")
        if len(known) < len(rows):
            notes.append(f"left out are {len(rows) - len(known):,} of {len(rows):,} rows of {part}, without {label}")
        left[part] = known
    return left


def _values(column: Any, name: str) -> Array:
    """(n,) float64, NaN in gaps."""
    try:
        return np.array([np.nan if value is None else float(value) for value in column.to_pylist()])
    except (TypeError, ValueError):
        raise UserError(f"task.path: the column {name} must hold numbers, not {column.type}") from None
