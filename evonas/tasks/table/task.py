"""Task kind `table`: rows of CSV or Parquet files, or of a DataFrame, with gaps, texts, dates and classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evonas.config.messages import validated
from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.arrays.building import Target
from evonas.tasks.class_folders import listed, natural
from evonas.tasks.class_weights import ClassWeights, check_no_weights
from evonas.tasks.constructors import classification, of_values
from evonas.tasks.dealing import Keys, SplitBy, notes_of
from evonas.tasks.room import STREAMED, check_room, size_of
from evonas.tasks.splitting import check_classes, completed
from evonas.tasks.table.as_numbers import Decimal, as_numbers
from evonas.tasks.table.encoder import Encoder, texts, unseen, values
from evonas.tasks.table.fitting import NOTHING, SAME, alike, fitted
from evonas.tasks.table.in_python import in_python, said_of
from evonas.tasks.table.keys import key_of
from evonas.tasks.table.prepare import TableColumns
from evonas.tasks.table.reading import of_frame, read, table_files
from evonas.tasks.task import Array, Split, Task

FEW_OF_EACH = "where these are numbers to predict: target: values; else give more rows or larger fractions"
IMBALANCE = 0.8
"""Share of the largest class from which on a note says that the error tells little."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a table, as `table` has them."""

    label: str
    target: Target = "classes"
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    most_values: int = 50
    split: SplitBy | None = None
    class_weights: ClassWeights = None
    valid_fraction: float = 0.1
    test_fraction: float = 0.1
    split_seed: int = 0
    metrics: tuple[str, ...] | None = None
    decimal: Decimal = ""

    @property
    def texts(self) -> set[str]:
        """Columns that stay as they are, though they may hold numbers."""
        by = [self.split.by] if self.split and self.split.by else []
        return {*self.ignore, *self.categories, *by, *([self.label] if self.target == "classes" else [])}


def table(
    *,
    path: str,
    label: str,
    target: Target = "classes",
    ignore: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    most_values: int = 50,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] | None = None,
    decimal: Decimal = "",
    encoding: str = "",
) -> Task:
    """A CSV or Parquet file with a row an example, or a folder with train.csv and maybe valid.csv and test.csv.

    Numbers are scaled by median and quartiles and clipped smoothly; a gap becomes the median, and a feature says where
    it was. Texts are categories, which networks embed; a gap is one of its own, and rare values are one together, which
    also stands for those that training rows do not have. Texts that are numbers as people write them, nearly all in one
    way (1.234,50 or 12 %), are numbers; the few that are none become gaps. Of dates, which may be texts, networks take
    days, month, weekday and hour; true and false are 1 and 0. All of it is found out by the training rows alone, and
    said.

    Args:
        path: the file or folder.
        label: the column to predict. Rows without it are left out.
        target: what it holds: classes (texts or whole numbers) or values to predict.
        ignore: columns that are no features, such as an index.
        categories: columns of numbers that are names of something, such as postcodes.
        most_values: so many texts of a column are categories of their own, the most frequent ones. A column that has
            more, most of which are there once, is left out.
        split: which rows stay together: {by: COLUMN} keeps a patient in one part, and is no feature; or
            {time: COLUMN}: the latest rows are the test split.
        class_weights: of the classes in the loss: balanced, or a number for each, in natural order.
        valid_fraction: of the training examples, where there is no file `valid`.
        test_fraction: of the training examples, where there is no file `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first; default: error, or mse of values.
        decimal: what stands before decimal places, "," or "."; default: what most columns say, else a point.
        encoding: of CSV files; default: UTF-8 or UTF-16, else Windows-1252 where it can be that, which is said.

    Raises:
        UserError: there is no such file or column, it cannot be read, or nothing is left to learn from.
    """
    where = expanded(path, "task.path")
    files = table_files(where)
    instead = f"give fewer rows, or make numbers of them and {STREAMED}"
    check_room("task.path", f"the rows of {where}", size_of(files.values()), not {"valid", "test"} <= {*files}, instead)
    wanted = Wanted(label, target, ignore, categories, most_values, split, class_weights)
    wanted = replace(
        wanted, valid_fraction=valid_fraction, test_fraction=test_fraction, split_seed=split_seed, metrics=metrics
    )
    wanted, notes = replace(wanted, decimal=decimal), list[str]()
    tables = {part: read(file, encoding, notes, decimal, doubtful=True) for part, file in files.items()}
    return assembled(where.stem, tables, wanted, notes)


def table_of(
    frame: Any,
    *,
    label: str,
    valid: Any = None,
    test: Any = None,
    name: str = "table",
    target: Target = "classes",
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
    most_values: int = 50,
    split: SplitBy | Mapping[str, str] | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: Sequence[str] | None = None,
    decimal: Decimal = "",
) -> Task:
    """The task of a frame: `evonas.search(config, task=evonas.table_of(frame, label="price"))`.

    Args:
        frame: the training rows: a frame of pandas, whose index is no feature, or of Polars, a table of Arrow, or what
            else gives an Arrow stream (`__arrow_c_stream__`).
        label: as of the kind `table`, like all options that have no line here.
        valid: a frame of validation rows; default: drawn from the training rows.
        test: a frame of test rows; default: drawn from the training rows.
        name: for people.

    Raises:
        UserError: what is given is no frame, a column is not there, or nothing is left to learn from.
    """
    given = {"train": frame, "valid": valid, "test": test}
    tables = {part: of_frame(each, f"table_of: {part}") for part, each in given.items() if each is not None}
    by = split if split is None or isinstance(split, SplitBy) else validated(SplitBy, split, "table_of: split")
    wanted = Wanted(label, target, tuple(ignore), tuple(categories), most_values, by, class_weights)
    chosen = None if metrics is None else tuple(metrics)
    wanted = replace(
        wanted, valid_fraction=valid_fraction, test_fraction=test_fraction, split_seed=split_seed, metrics=chosen
    )
    wanted = replace(wanted, decimal=decimal)
    with said_of("table_of"):
        made = assembled(name, tables, wanted)
    return replace(made, notes=tuple(map(in_python, made.notes)))


def assembled(name: str, tables: Mapping[str, Any], wanted: Wanted, said: Sequence[str] = ()) -> Task:
    """The task of tables of Arrow.

    Args:
        name: for people.
        tables: of train, and maybe valid and test.
        wanted: what is to be made of them.
        said: notes of how they were read.

    Raises:
        UserError: as of `table`.
    """
    columns, notes = tables["train"].column_names, list(said)
    _check_columns(columns, wanted)
    tables, written = as_numbers(tables, wanted.texts, wanted.decimal, notes)
    tables = _labelled(tables, wanted.label, notes)
    classes, y = _targets(tables, wanted)
    features = _features(columns, wanted)
    rows = {part: Split(np.arange(len(own))[:, None], y[part]) for part, own in tables.items()}
    keys = _keys(tables, wanted, notes) if wanted.split else None
    fractions = (wanted.valid_fraction, wanted.test_fraction)
    if wanted.target == "classes" and not keys:
        drawn = [each for part, each in zip(("valid", "test"), fractions, strict=True) if part not in rows]
        check_classes(y["train"], drawn, f"task.label: {wanted.label}", FEW_OF_EACH)
    splits = completed(rows, *fractions, wanted.split_seed, wanted.target == "classes", keys)
    notes += notes_of(keys, wanted.split, splits.drawn)
    own = {part: _rows(tables, part).take(np.asarray(split.x)[:, 0]) for part, split in splits.parts.items()}
    encoder = fitted(own["train"], features, wanted.categories, wanted.most_values, notes)
    used = {each.column for each in encoder.record.numbers}
    taken = {name: writing for name, writing in written.items() if name in used}
    encoder = Encoder(encoder.record.model_copy(update={"written": taken}), encoder.wide)
    encoded = splits.mapped(lambda part, split: Split(encoder.encode(own[part], part), split.y))
    for part in ("valid", "test"):
        if new := unseen(encoder.record, encoded.parts[part].x):
            notes.append(f"{part} has rows with values that training has not, or seldom: {', '.join(new)}")
    prepared = TableColumns(encoder.record, encoder.wide).prepared
    if wanted.target == "values":
        return of_values(name, encoded, wanted.metrics or ("mse",), notes, prepared=prepared, in_units=True)
    metrics = wanted.metrics or ("error",)
    notes += [*_single(encoded.train.y, wanted.label), *_imbalance(encoded.train.y, metrics)]
    return classification(name, encoded, metrics, classes, notes, class_weights=wanted.class_weights, prepared=prepared)


def _rows(tables: Mapping[str, Any], part: str) -> Any:
    """The table that the rows of a part are numbers of."""
    return tables[part if part in tables else "train"]


def _features(columns: Sequence[str], wanted: Wanted) -> list[str]:
    by = wanted.split.by if wanted.split else None
    left = [each for each in columns if each not in {wanted.label, *wanted.ignore, by}]
    if not left:
        raise UserError(f"task.path: beside {listed(columns)} {NOTHING}")
    return left


def _check_columns(columns: Sequence[str], wanted: Wanted) -> None:
    named = {"label": (wanted.label,), "ignore": wanted.ignore, "categories": wanted.categories}
    if wanted.split:
        named |= {f"split.{key}": (name,) for key, name in wanted.split.model_dump(exclude_none=True).items()}
    for option, names in named.items():
        for name in names:
            if name not in columns:
                raise UserError(f"task.{option}: {unknown(name, columns)}")
    for option in ("ignore", "categories"):
        if wanted.label in named[option]:
            raise UserError(f"task.{option}: {wanted.label} is the label, which is no feature; leave it out there")
    if both := sorted({*wanted.ignore} & {*wanted.categories}):
        raise UserError(f"task.categories: {both[0]} is named in task.ignore already; name it once")
    if wanted.split and wanted.split.by == wanted.label:
        raise UserError(f"task.split.by: {wanted.label} is the label; name what else rows have in common")
    if wanted.target == "values":
        check_no_weights(wanted.class_weights)


def _labelled(tables: Mapping[str, Any], label: str, notes: list[str]) -> dict[str, Any]:
    """Without rows that have no target, and without a test split that has none at all."""
    left = {}
    for part, rows in tables.items():
        known = rows.filter(_is_known(rows[label])) if label in rows.column_names else rows.slice(0, 0)
        if part == "test" and not len(known):
            notes.append(f"the test split is left out: it has no {label}")
            continue
        if not len(known):
            raise UserError(f"task.path: {part} has no rows with {label}")
        if len(known) < len(rows):
            notes.append(f"left out are {len(rows) - len(known):,} of {len(rows):,} rows of {part}, without {label}")
        left[part] = known
    return left


def _is_known(column: Any) -> Any:
    from pyarrow import compute

    return compute.invert(compute.is_null(column, nan_is_null=True))


def _targets(tables: Mapping[str, Any], wanted: Wanted) -> tuple[list[str], dict[str, Array]]:
    """The classes, none of values, and the targets of each part.

    Raises:
        UserError: they are all alike, or no numbers.
    """
    label = wanted.label
    if wanted.target == "values":
        y = {part: values(rows[label], label) for part, rows in tables.items()}
        if y["train"].min() == y["train"].max():
            why = alike(tables["train"][label])
            same = f"is {y['train'][0]:g} in all rows of train" if why == SAME else f"cannot be predicted: {why}"
            raise UserError(f"task.label: {label} {same}; there is nothing to learn")
        return [], y
    found = {part: texts(rows[label]) for part, rows in tables.items()}
    classes = sorted({text for own in found.values() for text in own.tolist()}, key=natural)
    if len({*found["train"].tolist()}) < 2:
        raise UserError(f"task.label: {label} is {found['train'][0]} in all rows of train; there is nothing to learn")
    numbers = {text: number for number, text in enumerate(classes)}
    return classes, {part: np.array([numbers[text] for text in own], np.int64) for part, own in found.items()}


def _keys(tables: Mapping[str, Any], wanted: Wanted, notes: list[str]) -> Keys:
    """What the training rows are split by; adds notes.

    Raises:
        UserError: the column has gaps, or is no time.
    """
    assert wanted.split
    name = wanted.split.by or wanted.split.time or ""
    keys = key_of(tables["train"][name], name, wanted.split)
    for part, rows in tables.items():
        if part != "train" and wanted.split.by and name in rows.column_names:
            shared = len({*texts(rows[name]).tolist()} & {*keys.values.tolist()})
            if shared:
                notes.append(f"{shared:,} values of {name} are in train and in {part}, which are given so")
    return keys


def _single(y: Array, label: str) -> list[str]:
    counts = np.unique(y, return_counts=True)[1]
    single = int((counts == 1).sum())
    if 2 * single <= len(counts):
        return []
    return [
        f"{single:,} of {len(counts):,} classes of {label} are there once in training; where these are numbers to "
        "predict: target: values"
    ]


def _imbalance(y: Array, metrics: Sequence[str]) -> list[str]:
    largest = np.bincount(y).max() / len(y)
    if largest <= IMBALANCE or metrics[0] not in ("error", "accuracy"):
        return []
    return [
        f"one class has {100 * largest:.0f} % of the examples, so that an error of {100 * (1 - largest):.0f} % is "
        "reached without learning; metrics: [balanced_error, f1, error] tells more, and class_weights: balanced helps"
    ]
