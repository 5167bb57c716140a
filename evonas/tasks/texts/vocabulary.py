"""Text as numbers, one a character: what `characters` and `text_folder` share."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.tasks.class_folders import listed
from evonas.tasks.room import check_room, size_of
from evonas.tasks.task import Array
from evonas.tasks.texts.record import TextRecord

SUFFIXES = frozenset((".txt",))
OTHER = "any other"
"""What token 0 is called."""
COUNTED_BYTES = 16
"""Of a character of a text that is one piece, while it becomes a number: as text, as code points and their order."""


class Tokens(nn.Module):
    """Numbers of characters as they are stored, in few bytes -> int64, as an embedding takes them.

    Args:
        record: how texts became these numbers; None where they are no texts.
        tokenizer: the file that made them; empty where there is none.
    """

    def __init__(self, record: TextRecord | None = None, tokenizer: str = "") -> None:
        super().__init__()
        self.record, self.tokenizer = record, tokenizer

    def forward(self, x: Tensor) -> Tensor:
        return x.long()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters that have a number of their own, 1, 2, ... in this order; 0 is any other character.

    Args:
        characters: each once.
    """

    characters: str

    @property
    def size(self) -> int:
        """How many numbers there are, 0 included."""
        return len(self.characters) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers from 0 stand for."""
        return (OTHER, *self.characters)

    def encoded(self, text: str) -> Array:
        """(characters,) their numbers, in the smallest type that PyTorch counts in."""
        points, known = code_points(text), code_points(self.characters)
        places = np.minimum(np.searchsorted(known, points), len(known) - 1)
        numbers = np.where(known[places] == points, places + 1, 0)
        return numbers.astype(np.uint8 if self.size <= 256 else np.int32)


def counted(text: str, most: int) -> Vocabulary:
    """The vocabulary of a text.

    Args:
        text: of the training examples.
        most: where it has more different characters, the most frequent ones have a number.

    Raises:
        UserError: the text is empty.
    """
    if not text:
        raise UserError("task.path: the training text is empty")
    points, counts = np.unique(code_points(text), return_counts=True)
    frequent = np.sort(points[np.argsort(-counts, kind="stable")[:most]])
    return Vocabulary(frequent.astype("<u4").tobytes().decode("utf-32-le"))


def notes_on(vocabulary: Vocabulary, numbers: dict[str, Array], different: int) -> list[str]:
    """What people should know of it.

    Args:
        vocabulary: that of the training text.
        numbers: part -> the numbers of its characters.
        different: characters that the training text has.
    """
    notes = [f"{different:,} different characters in the training text, each with a number from 1 on"]
    if different >= vocabulary.size:
        notes = [f"the {vocabulary.size - 1:,} most frequent of {different:,} characters have a number from 1 on each"]
    for part, own in numbers.items():
        if others := int(np.count_nonzero(own == 0)):
            notes.append(f"{others:,} of {own.size:,} characters of {part} have none, and are 0")
    return notes


def code_points(text: str) -> Array:
    """(characters,) uint32."""
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def check_text_room(files: Iterable[Path], each: int = 1) -> None:
    """Make sure, before one is read, that texts fit into memory.

    Args:
        files: of the texts.
        each: bytes that a character takes.

    Raises:
        UserError: they do not fit.
    """
    check_room("task.path", "the texts, while they are read,", each * size_of(files), False, "give shorter texts")


def read_text(file: Path) -> str:
    """The text of a file, with line ends as \\n.

    Raises:
        UserError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"task.path: no file {file.absolute()}") from None
    except OSError as error:
        raise UserError(f"task.path: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"task.path: {file} is not text in UTF-8: byte {error.start:,} is {error.object[error.start]:#04x}; "
            "convert it, e.g. with iconv -t UTF-8"
        ) from None


def text_files(where: Path) -> dict[str, Path]:
    """.txt files of a folder by their names without suffix, or the one file as `train`.

    Raises:
        UserError: the path is no .txt file.
    """
    if where.is_dir():
        return {file.stem: file for file in sorted(where.iterdir()) if file.suffix.lower() in SUFFIXES}
    if where.exists() and where.suffix.lower() not in SUFFIXES:
        raise UserError(f"task.path: {where}: kind characters reads {listed(SUFFIXES)}")
    return {"train": where}
