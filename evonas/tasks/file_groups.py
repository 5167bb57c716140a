"""Which files belong together, by their names: for splits that keep a speaker or a patient in one part."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import natural
from evonas.tasks.dealing import Keys, SplitBy


def keys_of_files(split: SplitBy | None, files: Iterable[Path], root: Path) -> Keys | None:
    """What files belong to, by a regular expression on their paths.

    Args:
        split: of the config.
        files: of the training examples, in their order.
        root: the folder whose name, and what is above it, does not count.

    Raises:
        UserError: it is no regular expression, does not fit on a file, or time is asked for.
    """
    if split is None:
        return None
    if split.by is None:
        raise UserError("task.split.time: files have no column of times; split: {by: REGULAR EXPRESSION} groups them")
    try:
        pattern = re.compile(split.by)
    except re.error as error:
        raise UserError(f"task.split.by: {split.by!r} is no regular expression: {error}") from None
    found = []
    for file in files:
        match = pattern.search(file.relative_to(root).as_posix())
        if match is None:
            raise UserError(f"task.split.by: {split.by!r} does not fit on {file.relative_to(root).as_posix()}")
        found.append(match[1] if pattern.groups else match[0])
    return Keys(np.array(found))


def keys_of_classes(split: SplitBy | None, files: Mapping[str, Sequence[Path]], root: Path) -> Keys | None:
    """`keys_of_files` of class folders, class by class in natural order."""
    return keys_of_files(split, [file for name in sorted(files, key=natural) for file in files[name]], root)
