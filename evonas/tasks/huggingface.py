"""Task kind `huggingface`: pictures and labels by way of the `datasets` library (the extra `huggingface`)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.images import Channels, pillow, pixels
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task, classification

SPLITS = {"train": ("train",), "valid": ("validation", "valid", "val", "dev"), "test": ("test",)}
"""The names that each split goes by, the usual one first."""


def huggingface(
    *,
    name: str,
    config: str | None = None,
    revision: str | None = None,
    image: str = "image",
    label: str = "label",
    size: int = 32,
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
        image: the column of pictures, which become (channels, size, size) uint8.
        label: the column of classes.
        size: height and width that pictures are scaled to.
        channels: 1 for grey, 3 for RGB.
        valid_fraction: of the training examples, where there is no validation split.
        test_fraction: of the training examples, where there is no test split.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: `datasets` or Pillow is missing, or the data set cannot be loaded or has no such columns.
    """
    if size < 1:
        raise UserError(f"task.size: must be 1 or more, not {size}")
    pillow("huggingface", "huggingface")
    tables = _load(name, config, revision)
    found = {part: table for part, names in SPLITS.items() if (table := _first(tables, names)) is not None}
    if "train" not in found:
        raise UserError(f"task.name: {name} has no split train (it has {', '.join(tables)})")
    for table in found.values():
        _check_columns(table.column_names, image, label)
    classes = _classes(found["train"], label)
    given = {part: Split(_pictures(t, image, size, channels), _numbers(t[label], classes)) for part, t in found.items()}
    splits = completed(given, valid_fraction, test_fraction, split_seed)
    names = found["train"].features[label].names if classes is None else [*map(str, classes)]
    return classification(Path(name).name, splits, metrics, names)


def _load(name: str, config: str | None, revision: str | None) -> dict[str, Any]:
    """Split name -> table."""
    try:
        import datasets
    except ImportError:
        raise UserError("task huggingface needs datasets: pip install 'evonas[huggingface]'") from None
    saved = Path(name).is_dir() and any((Path(name) / f).exists() for f in ("dataset_dict.json", "state.json"))
    try:
        loaded = datasets.load_from_disk(name) if saved else datasets.load_dataset(name, config, revision=revision)
    except Exception as error:  # whatever hub, network and file formats raise
        lines = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"task.name: cannot load {name!r}: {lines[0]}") from None
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


def _first(tables: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((tables[name] for name in names if name in tables), None)


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


def _pictures(table: Any, column: str, size: int, channels: Channels) -> Array:
    x = np.empty((len(table), channels, size, size), np.uint8)
    for row in range(len(table)):
        try:
            x[row] = pixels(table[row][column], size, channels)
        except (OSError, ValueError, SyntaxError, AttributeError) as error:
            raise UserError(f"task.image: {column} of example {row} is no readable picture: {error}") from None
    return x
