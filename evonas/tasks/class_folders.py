"""A folder for each class, or that for each split: what `image_folder` and `audio_folder` share."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.files_below import files_below, is_hidden
from evonas.tasks.splitting import parts_among

NAMED = 5
"""Folders and files are named up to so many in one message."""


def class_folders(
    root: Path, suffixes: frozenset[str], noun: str
) -> tuple[dict[str, dict[str, list[Path]]], list[str], list[str]]:
    """Find the files of each class.

    Args:
        root: with a folder for each class, or with folders train, valid, test that have these.
        suffixes: of the files to find, in lower case.
        noun: what they are, for messages: "pictures".

    Returns:
        Part -> class -> its files in natural order; the classes, in natural order; notes of what else is there.

    Raises:
        UserError: there is no such folder, no file of this kind, no two classes, or a class that training has not.
    """
    if not root.is_dir():
        raise UserError(f"task.path: no folder {root.absolute()}")
    folders, notes = _split_folders(root)
    found = {part: _files_by_class(folder, suffixes, noun, notes) for part, folder in folders.items()}
    classes = sorted(found["train"], key=natural)
    _check_classes(classes, found, folders, suffixes, noun)
    return found, classes, notes


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which "class 2" comes before "class 10"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts)


def listed(names: Iterable[str]) -> str:
    """Some names, for people."""
    names = list(names)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def count(number: int, noun: str) -> str:
    """ "1 picture", "1,200 pictures"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def unreadable(key: str, what: str, failed: Sequence[str]) -> UserError:
    """All files that cannot be read in one message, or `NAMED` of them and how many more.

    Args:
        key: of the config.
        what: how many of what cannot be read: "3 pictures".
        failed: each file with the reason.
    """
    more = len(failed) - NAMED
    named = "; ".join(failed[:NAMED]) + (f"; and {more:,} more" if more > 0 else "")
    return UserError(f"{key}: cannot read {what}: {named}; repair or remove them")


def _split_folders(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Part -> its folder, and notes: the root itself where it has no folder of training pictures."""
    names = [folder.name for folder in _folders(root)]
    parts = parts_among(names, f"task.path: {root}")
    if "train" not in parts:
        return {"train": root}, []
    unused = [name for name in names if name not in parts.values()]
    notes = [f"not used, as no name of a split: {listed(unused)} in {root}"] if unused else []
    return {part: root / name for part, name in parts.items()}, notes


def _files_by_class(folder: Path, suffixes: frozenset[str], noun: str, notes: list[str]) -> dict[str, list[Path]]:
    """Class -> its files in natural order, of classes that have some; adds notes of what else is there."""
    found, empty, deeper = {}, [], []
    unread: Counter[str] = Counter()
    own = _folders(folder)
    names = {each.name for each in own}
    for each in own:
        files, others = _files(each, suffixes)
        unread.update(others)
        below = sorted({file.relative_to(each).parts[0] for file in files if file.parent != each}, key=natural)
        if names.intersection(below):
            raise UserError(
                f"task.path: {each} has folders of its own that are called like classes ({listed(below)}): "
                f"move it out of {folder}, or give its path"
            )
        if below:
            deeper.append(f"{each.name} ({listed(below)})")
        if files:
            found[each.name] = files
        else:
            empty.append(each.name)
    if empty:
        notes.append(f"no classes, as there are no {noun} in them: {listed(empty)} in {folder}")
    if deeper:
        notes.append(f"{noun} in folders below that of a class are taken, too, in {folder}: {listed(deeper)}")
    unread.update(file.suffix.lower() or "without suffix" for file in _visible_files(folder))
    if unread:
        each_kind = ", ".join(f"{number:,} {suffix}" for suffix, number in sorted(unread.items()))
        notes.append(f"not read in {folder}: files that are {each_kind}")
    return found


def _folders(folder: Path) -> list[Path]:
    found = (entry for entry in folder.iterdir() if entry.is_dir() and not is_hidden(entry.name))
    return sorted(found, key=lambda entry: natural(entry.name))


def _visible_files(folder: Path) -> Iterator[Path]:
    return (entry for entry in folder.iterdir() if entry.is_file() and not is_hidden(entry.name))


def _files(folder: Path, suffixes: frozenset[str]) -> tuple[list[Path], Counter[str]]:
    """The files of some suffixes in a folder and below it, and how many other files of each suffix."""
    found, others = [], Counter[str]()
    for file in files_below(folder):
        if file.suffix.lower() in suffixes:
            found.append(file)
        else:
            others[file.suffix.lower() or "without suffix"] += 1
    return sorted(found, key=lambda file: [natural(part) for part in file.relative_to(folder).parts]), others


def _check_classes(
    classes: Sequence[str],
    found: Mapping[str, Mapping[str, list[Path]]],
    folders: Mapping[str, Path],
    suffixes: frozenset[str],
    noun: str,
) -> None:
    """
    Raises:
        UserError: there are no files, no two classes, or a class that training has not.
    """
    train = folders["train"]
    if not classes and _folders(train):
        raise UserError(f"task.path: no {noun} in the sub-folders of {train} ({', '.join(sorted(suffixes))})")
    if len(classes) < 2:
        only = f"; only {classes[0]} has {noun}" if classes else ""
        raise UserError(f"task.path: {train} needs a sub-folder for each of two classes or more{only}")
    for part, folder in folders.items():
        if not found[part]:
            raise UserError(f"task.path: no {noun} in the sub-folders of {folder}; fill or remove it")
        for name in found[part]:
            if name not in classes:
                raise UserError(
                    f"task.path: {folder / name} is no class of the training {noun}: {unknown(name, classes)}"
                )
