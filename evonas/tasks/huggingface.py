"""Task kind `huggingface`: pictures and labels by way of the `datasets` library (the extra `huggingface`)."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.paths import expanded
from evonas.tasks.constructors import classification
from evonas.tasks.images import Channels, Pictures, Size, pillow
from evonas.tasks.splitting import completed, labelled, parts_among
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
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """A data set of the Hugging Face hub, or a folder that `save_to_disk` wrote, with splits or as a single one.

    Args:
        name: e.g. "ylecun/mnist", or the folder.
        config: which variant of it.
        revision: which version of it; a search that is to be repeated names one.
        image: the column of pictures.
        label: the column of classes.
        size: pictures are scaled to so many pixels square, or to [height, width], and held in memory.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        valid_fraction: of the training examples, where there is no validation split.
        test_fraction: of the training examples, where there is no test split.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: `datasets` or Pillow is missing, or the data set cannot be loaded or has no such columns.
    """
    name = str(expanded(name, "task.name"))
    pictures = Pictures(pillow("huggingface", "huggingface"), size, channels)
    tables = _load(name, config, revision)
    parts = parts_among(tables, f"task.name: {name}")
    if "train" not in parts:
        raise UserError(f"task.name: {name} has no split train (it has {', '.join(tables)})")
    unused = [each for each in tables if each not in parts.values()]
    notes = [f"not used, as no name of a split: {', '.join(unused)} of {name}"] if unused else []
    found = {part: tables[own] for part, own in parts.items()}
    for table in found.values():
        _check_columns(table.column_names, image, label)
    classes = _classes(found["train"], label)
    pictures.check_room("task.name", sum(map(len, found.values())), drawn=not {"valid", "test"} <= found.keys())
    given = {
        part: Split(pictures.read(_sources(table, image, parts[part])), _numbers(table[label], classes))
        for part, table in found.items()
    }
    pictures.check("task.image")
    given, left_out = labelled(given)
    splits = completed(given, valid_fraction, test_fraction, split_seed)
    names = found["train"].features[label].names if classes is None else [*map(str, classes)]
    return classification(Path(name).name, splits, metrics, names, [*notes, *left_out, *pictures.notes()])


def _load(name: str, config: str | None, revision: str | None) -> dict[str, Any]:
    """Split name -> table."""
    try:
        import datasets
    except ImportError:
        raise UserError(f"task huggingface needs datasets: {how_to_install('huggingface')}") from None
    saved = Path(name).is_dir() and any((Path(name) / f).exists() for f in ("dataset_dict.json", "state.json"))
    try:
        loaded = datasets.load_from_disk(name) if saved else datasets.load_dataset(name, config, revision=revision)
    except Exception as error:  # whatever hub, network and file formats raise
        lines = str(error).splitlines() or [type(error).__name__]
        cure = "without a network: HF_HOME with a copy and HF_HUB_OFFLINE=1, or a folder that save_to_disk wrote"
        raise UserError(f"task.name: cannot load {name!r}: {lines[0]}; {cure}") from None
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


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


def _sources(table: Any, column: str, part: str) -> list[tuple[str, Callable[[], Any]]]:
    def opened(row: int) -> Any:
        return table[row][column]

    return [(f"{column} of example {row} of {part}", partial(opened, row)) for row in range(len(table))]
