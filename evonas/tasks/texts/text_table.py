"""Task kind `text_table`: a CSV or Parquet file with a text and its class in each row."""

from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.class_folders import listed, natural
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.dealing import Keys, SplitBy
from evonas.tasks.room import check_room, size_of
from evonas.tasks.splitting import check_classes
from evonas.tasks.table.keys import key_of
from evonas.tasks.table.reading import read, table_files
from evonas.tasks.task import Task
from evonas.tasks.texts.building import Drawn, Labelled, text_task
from evonas.tasks.texts.units import as_read

FEW_OF_EACH = "name a column with fewer different values, or give more rows or larger fractions"


def text_table(
    *,
    path: str,
    text: str = "text",
    label: str = "label",
    unit: str = "characters",
    characters: int = 256,
    most_characters: int = 255,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
    encoding: str = "",
) -> Task:
    """A CSV or Parquet file with a text and its class in each row, or a folder with train.csv and maybe valid.csv.

    What becomes of texts is that of `text_folder`.

    Args:
        path: the file or folder.
        text: the column of texts. Rows without one are left out, as are rows without a class.
        label: the column of classes.
        unit: characters, bytes of UTF-8, or the path of a tokenizer.json, which takes the extra `tokenizers`.
        characters: texts are cut to so many, or to so many other units, or filled up in front: with 0, or with the
            token that a tokenizer has for it.
        most_characters: how many have a number of their own, the most frequent ones; all others are 0.
        split: which rows stay together: {by: COLUMN} keeps an author in one part; or {time: COLUMN}: the latest rows
            are the test split.
        class_weights: of the classes in the loss: balanced, or a number for each, in natural order.
        valid_fraction: of the training examples, where there is no file `valid`.
        test_fraction: of the training examples, where there is no file `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.
        encoding: of CSV files; default: UTF-8 or UTF-16, else Windows-1252 where it can be that, which is said.

    Raises:
        UserError: there is no such file or column, it cannot be read, or no text is left.
    """
    if text == label:
        raise UserError(f"task.label: {label} is the column of texts already; name the one of their classes")
    where = expanded(path, "task.path")
    files = table_files(where, "text_table")
    check_room("task.path", f"the rows of {where}", size_of(files.values()), True, "give fewer rows")
    notes: list[str] = []
    rows = {
        part: _rows(read(file, encoding, notes), str(file), part, text, label, notes) for part, file in files.items()
    }
    classes = sorted(set(rows["train"].column(label).to_pylist()), key=natural)
    given = {part: _labelled(own, text, label, classes, unit, part) for part, own in rows.items()}
    keys = _keys(split, rows["train"])
    if not keys:
        drawn_parts = [each for part, each in (("valid", valid_fraction), ("test", test_fraction)) if part not in rows]
        check_classes(np.array(given["train"].classes), drawn_parts, f"task.label: {label}", FEW_OF_EACH)
    drawn = Drawn(valid_fraction, test_fraction, split_seed, split, keys)
    return text_task(
        where.stem, given, classes, (unit, characters, most_characters), drawn, metrics, class_weights, notes
    )


def _rows(found: Any, file: str, part: str, text: str, label: str, notes: list[str]) -> Any:
    """The rows of a table of Arrow that have a text and a class, both as texts; adds a note of what is left out.

    Raises:
        UserError: a column is not there, holds no texts, or nothing is left.
    """
    import pyarrow as pa
    from pyarrow import compute

    for key, name in (("text", text), ("label", label)):
        if name not in found.column_names:
            raise UserError(f"task.{key}: {unknown(name, found.column_names)}, in {file}")
    kind = found.schema.field(text).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise UserError(f"task.text: {text} of {file} holds {kind}, no texts (columns: {listed(found.column_names)})")
    for name in (text, label):
        found = found.set_column(found.column_names.index(name), name, found.column(name).cast(pa.string()))
    filled = compute.greater(compute.utf8_length(compute.utf8_trim_whitespace(found.column(text))), 0)
    there = compute.and_(compute.fill_null(filled, False), compute.is_valid(found.column(label)))
    kept = found.filter(there)
    if not len(kept):
        raise UserError(f"task.text: all {len(found):,} texts of {file} are empty, or without a class")
    if left := len(found) - len(kept):
        notes.append(f"{left:,} of {len(found):,} rows of {part} have no text or no class, and are left out")
    return kept


def _labelled(rows: Any, text: str, label: str, classes: list[str], unit: str, part: str) -> Labelled:
    labels: list[str] = rows.column(label).to_pylist()
    if strange := sorted(set(labels) - set(classes), key=natural):
        raise UserError(f"task.label: {part} has classes that no training row has: {listed(strange)}")
    number = {name: at for at, name in enumerate(classes)}
    texts = [as_read(each, unit) for each in rows.column(text).to_pylist()]
    return Labelled(texts, [number[name] for name in labels])


def _keys(split: SplitBy | None, rows: Any) -> Keys | None:
    """What rows belong to, or when they were; UserError where there is no such column."""
    if split is None:
        return None
    key, name = ("by", split.by) if split.by is not None else ("time", split.time or "")
    if name not in rows.column_names:
        raise UserError(f"task.split.{key}: {unknown(name, rows.column_names)}")
    return key_of(rows.column(name), name, split)
