"""Where pictures come from: each has a name and can be opened, in any thread and on any machine that has them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from evonas.tasks.pictures.images import Traits, pillow
from evonas.tasks.task import Array


class Sources(Protocol):
    """Pictures in order. It travels to workers as a pickle, which says where pictures are and does not hold them."""

    noun: str
    """What each of them is: picture, or mask."""

    @property
    def name(self) -> str:
        """Of all of them, for a folder: letters, digits and the like."""

    def __len__(self) -> int:
        """How many there are."""

    def called(self, row: int) -> str:
        """What a picture is called, for messages."""

    def opened(self, row: int) -> AbstractContextManager[Any]:
        """A picture of Pillow, to be closed. Called in any thread.

        Raises:
            Exception: of those that `Form.pixels` raises.
        """

    def state(self) -> Iterator[str] | None:
        """Lines that differ when pictures do, by how their files are; None where that cannot be told."""


class Becomes(Protocol):
    """What becomes of each picture; see `images.Form`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""

    def pixels(self, picture: Any) -> tuple[Array, Traits]:
        """Those of what `Sources.opened` gives, in uint8 or float32, and what it was."""


class Files:
    """A file a picture.

    Args:
        root: the folder.
        files: in it or elsewhere, in order.
    """

    noun = "picture"

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self._root = os.path.abspath(root)
        self._files = tuple(below(os.path.abspath(file), self._root) for file in files)

    @property
    def name(self) -> str:
        return os.path.basename(self._root)

    def __len__(self) -> int:
        return len(self._files)

    def called(self, row: int) -> str:
        return os.path.join(self._root, self._files[row])

    def opened(self, row: int) -> AbstractContextManager[Any]:
        opened: AbstractContextManager[Any] = pillow("image_folder", "images").open(self.called(row))
        return opened

    def state(self) -> Iterator[str]:
        yield os.path.realpath(self._root)
        for row, file in enumerate(self._files):
            yield f"{file}\0{as_it_is(self.called(row))}"


def as_it_is(path: str) -> str:
    """Size and time of the last change of a file, which tell it from what it was before; empty where it is gone."""
    try:
        found = os.stat(path)
    except OSError:  # who opens it says so
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def below(file: str, root: str) -> str:
    """The path from the root, where the file lies below it."""
    start = root.rstrip(os.sep) + os.sep
    return file.removeprefix(start)
