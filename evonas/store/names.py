"""What the numbers that a network takes in are called, such as users: a file of its own, for there may be millions.

It is written once, before run.json, which has its SHA-256. Runs of an earlier evonas have the names in run.json.
"""

import hashlib
import json
from contextlib import suppress

from evonas.errors import UserError
from evonas.store.folder import NAMES, Folder


def write_names(folder: Folder, data: bytes) -> None:
    """Write down names, in order of their numbers. What an interrupted start has left is replaced.

    Args:
        folder: of the run, which has no run.json yet.
        data: JSON, a list of texts.
    """
    with suppress(FileNotFoundError):
        folder.remove(NAMES)
    folder.create(NAMES, data)


def read_names(folder: Folder, sha256: str) -> tuple[str, ...]:
    """The names of a run.

    Args:
        folder: of the run.
        sha256: of the file, as run.json has it.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        data = folder.read(NAMES)
    except FileNotFoundError:
        raise UserError(f"{folder}/{NAMES} is missing; restore it from a copy") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(f"{folder}/{NAMES} is damaged: its SHA-256 is not the recorded one; restore it from a copy")
    return tuple(json.loads(data))
