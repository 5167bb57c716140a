"""Task kind `huggingface`: pictures and labels by way of the `datasets` library (the extra `huggingface`)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.dealing import Keys, SplitBy, notes_of
from evonas.tasks.pictures.collected import collected
from evonas.tasks.pictures.hub import DataSet, TableRows
from evonas.tasks.pictures.images import Channels, Form, Size, pillow, sides
from evonas.tasks.pictures.place import Cache
from evonas.tasks.splitting import completed, labelled, parts_among
from evonas.tasks.table.keys import key_of
from evonas.tasks.task import Array, Split, Task


def huggingface(
    *,
    name: str,
    config: str | None = None,
    revision: str | None = None,
    image: str = "image",
    label: str = "label",
    size: Size = 32,
    channels: Channels = 3,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
    cache: Cache = True,
) -> Task:
    """A data set of the Hugging Face hub, or a folder that `save_to_disk` wrote, with splits or as a single one.

    Args:
        name: e.g. "ylecun/mnist", or the folder.
        config: which variant of it.
        revision: which version of it; a search that is to be repeated names one.
        image: the column of pictures.
        label: the column of classes.
        size: pictures are scaled to so many pixels square, or to [height, width], and held in memory, or streamed from
            the disk where they do not fit.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        split: {by: COLUMN}: examples that are alike in a column are in one part, such as a patient's; or
            {time: COLUMN}: the latest training examples are the test split.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no validation split.
        test_fraction: of the training examples, where there is no test split.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.
        cache: where decoded pictures are kept, so that it is done once: true: in ~/.cache/evonas ($XDG_CACHE_HOME);
            a folder; false: nowhere.

    Raises:
        UserError: `datasets` or Pillow is missing, or the data set cannot be loaded or has no such columns.
    """
    data, form = DataSet(str(expanded(name, "task.name")), config, revision), Form(*sides(size), channels)
    pillow("huggingface", "huggingface")
    tables = data.load()
    parts = parts_among(tables, f"task.name: {data.name}")
    if "train" not in parts:
        raise UserError(f"task.name: {data.name} has no split train (it has {', '.join(tables)})")
    unused = [each for each in tables if each not in parts.values()]
    notes = [f"not used, as no name of a split: {', '.join(unused)} of {data.name}"] if unused else []
    found = {part: tables[own] for part, own in parts.items()}
    for table in found.values():
        _check_columns(table.column_names, image, label)
    keys = None if split is None else _keys(found["train"], split, (image, label))
    classes = _classes(found["train"], label)
    y = {part: _numbers(table[label], classes) for part, table in found.items()}
    pictures = collected(
        TableRows(data, image, list(parts.values()), tables),
        form,
        [len(table) for table in found.values()],
        cache,
        "task.name",
        drawn=not {"valid", "test"} <= found.keys(),
        pictures_key="task.image",
    )
    given = {part: Split(x, own) for (part, own), x in zip(y.items(), pictures.columns, strict=True)}
    given, left_out = labelled(given)
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    names = found["train"].features[label].names if classes is None else [*map(str, classes)]
    said = [*notes, *left_out, *notes_of(keys, split, splits.drawn), *pictures.tally.notes(form)]
    return classification(Path(data.name).name, splits, metrics, names, said, class_weights=class_weights)


def _check_columns(columns: list[str], image: str, label: str) -> None:
    for option, column in (("image", image), ("label", label)):
        if column not in columns:
            raise UserError(f"task.{option}: {unknown(column, columns)}")


def _classes(table: Any, label: str) -> dict[Any, int] | None:
    """Label -> number, in sorted order; None where the data set numbers and names them."""
    if hasattr(table.features[label], "names"):
        return None
    return {value: number for number, value in enumerate(sorted(set(table[label])))}


def _numbers(values: Iterable[Any], classes: dict[Any, int] | None) -> Array:
    try:
        return np.array([value if classes is None else classes[value] for value in values], np.int64)
    except KeyError as error:
        raise UserError(f"task.label: {error} is no label of the training examples") from None


def _keys(table: Any, split: SplitBy, taken: tuple[str, str]) -> Keys:
    """What the training examples belong to, or when they were, by a column of their table."""
    name = split.by or split.time or ""
    others = [column for column in table.column_names if column not in taken]
    if name not in others:
        key = "by" if split.by else "time"
        raise UserError(f"task.split.{key}: {unknown(name, others)}, of the columns beside {taken[0]} and {taken[1]}")
    return key_of(table.select_columns([name]).with_format("arrow")[:].column(name), name, split)
