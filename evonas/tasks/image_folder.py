"""Task kind `image_folder`: a folder of pictures for each class."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.images import Channels, Pictures, Size, pillow
from evonas.tasks.splitting import completed, parts_among
from evonas.tasks.task import Split, Task, classification

SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".webp",
}  # fmt: skip
LEFT_BY_SYSTEMS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini"}
NAMED = 5
"""Folders are named up to so many in one note."""


def image_folder(
    *,
    path: str,
    size: Size = 32,
    channels: Channels = 3,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """PATH/CLASS/*.png, or PATH/train/CLASS/*.png beside PATH/valid and PATH/test, where there are such splits.

    Classes are numbered in natural order (class 2 before class 10). Splits may have other usual names: `training`;
    `validation`, `val`, `dev`; `testing`. Pictures in folders below that of a class are the class's. Hidden files and
    folders are passed over; what else is not used is said at the start of a search.

    Args:
        path: the folder.
        size: pictures are scaled to so many pixels square, or to [height, width], and held in memory.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no pictures in it, unreadable pictures, or Pillow is missing.
    """
    root = expanded(path, "task.path")
    if not root.is_dir():
        raise UserError(f"task.path: no folder {root.absolute()}")
    folders, notes = _split_folders(root)
    found = {part: _files_by_class(folder, notes) for part, folder in folders.items()}
    classes = sorted(found["train"], key=natural)
    _check_classes(classes, found, folders)
    pictures = Pictures(pillow("image_folder", "images"), size, channels)
    given = {part: _read(pictures, files, classes) for part, files in found.items()}
    pictures.check("task.path")
    splits = completed(given, valid_fraction, test_fraction, split_seed)
    return classification(root.name, splits, metrics, classes, [*notes, *pictures.notes()])


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which "class 2" comes before "class 10"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts)


def listed(names: Iterable[str]) -> str:
    """Some names, for people."""
    names = list(names)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _split_folders(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Part -> its folder, and notes: the root itself where it has no folder of training pictures."""
    names = [folder.name for folder in _folders(root)]
    parts = parts_among(names, f"task.path: {root}")
    if "train" not in parts:
        return {"train": root}, []
    unused = [name for name in names if name not in parts.values()]
    notes = [f"not used, as no name of a split: {listed(unused)} in {root}"] if unused else []
    return {part: root / name for part, name in parts.items()}, notes


def _files_by_class(folder: Path, notes: list[str]) -> dict[str, list[Path]]:
    """Class -> its pictures in natural order, of classes that have some; adds notes of what else is there."""
    found, empty, deeper = {}, [], []
    unread: Counter[str] = Counter()
    own = _folders(folder)
    names = {each.name for each in own}
    for each in own:
        pictures, others = _pictures(each)
        unread.update(others)
        below = sorted({file.relative_to(each).parts[0] for file in pictures if file.parent != each}, key=natural)
        if names.intersection(below):
            raise UserError(
                f"task.path: {each} has folders of its own that are called like classes ({listed(below)}): "
                f"move it out of {folder}, or give its path"
            )
        if below:
            deeper.append(f"{each.name} ({listed(below)})")
        if pictures:
            found[each.name] = pictures
        else:
            empty.append(each.name)
    if empty:
        notes.append(f"no classes, as there are no pictures in them: {listed(empty)} in {folder}")
    if deeper:
        notes.append(f"pictures in folders below that of a class are taken, too, in {folder}: {listed(deeper)}")
    unread.update(file.suffix.lower() or "without suffix" for file in _visible_files(folder))
    if unread:
        each_kind = ", ".join(f"{number:,} {suffix}" for suffix, number in sorted(unread.items()))
        notes.append(f"not read in {folder}: files that are {each_kind}")
    return found


def _folders(folder: Path) -> list[Path]:
    found = (entry for entry in folder.iterdir() if entry.is_dir() and not _is_hidden(entry.name))
    return sorted(found, key=lambda entry: natural(entry.name))


def _visible_files(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if entry.is_file() and not _is_hidden(entry.name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in LEFT_BY_SYSTEMS


def _pictures(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The pictures in a folder and below it, and how many other files of each suffix."""
    pictures, others = [], Counter[str]()
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for file in (Path(here, name) for name in files if not _is_hidden(name)):
            if file.suffix.lower() in SUFFIXES:
                pictures.append(file)
            else:
                others[file.suffix.lower() or "without suffix"] += 1
    return sorted(pictures, key=lambda file: [natural(part) for part in file.relative_to(folder).parts]), others


def _check_classes(
    classes: Sequence[str], found: Mapping[str, Mapping[str, list[Path]]], folders: Mapping[str, Path]
) -> None:
    """
    Raises:
        UserError: there are no pictures, no two classes, or a class that training has not.
    """
    train = folders["train"]
    if not classes and _folders(train):
        raise UserError(f"task.path: no pictures in the sub-folders of {train} ({', '.join(sorted(SUFFIXES))})")
    if len(classes) < 2:
        only = f"; only {classes[0]} has pictures" if classes else ""
        raise UserError(f"task.path: {train} needs a sub-folder for each of two classes or more{only}")
    for part, folder in folders.items():
        if not found[part]:
            raise UserError(f"task.path: no pictures in the sub-folders of {folder}; fill or remove it")
        for name in found[part]:
            if name not in classes:
                raise UserError(
                    f"task.path: {folder / name} is no class of the training pictures: {unknown(name, classes)}"
                )


def _read(pictures: Pictures, files: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> Split:
    image = pillow("image_folder", "images")
    own = sorted(files, key=natural)
    sources = [(str(file), partial(image.open, file)) for name in own for file in files[name]]
    y = [classes.index(name) for name in own for _ in files[name]]
    return Split(pictures.read(sources), np.array(y, np.int64))
