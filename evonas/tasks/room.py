"""Whether examples that are to be held in memory fit there, asked before hours of reading them."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from evonas.errors import UserError
from evonas.machine import machine_memory

STREAMED = "write them to .npy files, which task: {kind: npy} streams"


def check_room(
    key: str, what: str, size: int, drawn: bool, instead: str = f"set a smaller task.size, or {STREAMED}"
) -> None:
    """Make sure that examples fit into the memory of this machine, or of its container.

    Args:
        key: of the config that says what is read.
        what: the examples, in words.
        size: of all of them, in bytes.
        drawn: whether splits are drawn from them, which holds most of them twice for a while.
        instead: what would be right.

    Raises:
        UserError: they do not; says what would be right.
    """
    if not fits(size, drawn):
        memory = machine_memory()
        twice = ", and twice that while splits are drawn" if drawn else ""
        raise UserError(
            f"{key}: {what} take {size / 1e9:.3g} GB in memory{twice}; there are {memory / 1e9:.3g} GB: {instead}"
        )


def fits(size: int, drawn: bool) -> bool:
    """Whether examples of so many bytes fit into the memory of this machine, or of its container; see `check_room`."""
    return size * (2 if drawn else 1) <= machine_memory()


def size_of(files: Iterable[Path]) -> int:
    """The bytes of files together; what is not there, or cannot be asked after, is told by who reads it."""
    total = 0
    for file in files:
        with suppress(OSError):
            total += file.stat().st_size
    return total
