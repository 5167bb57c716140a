"""What is too much for a run.json, such as the names of millions of users: files of their own, for which it vouches.

Each is written once, before run.json, which has its SHA-256.
"""

import hashlib
from contextlib import suppress

from evonas.errors import UserError
from evonas.store.folder import Folder


def write_vouched(folder: Folder, name: str, data: bytes) -> None:
    """Write down a file. What an interrupted start has left is replaced.

    Args:
        folder: of the run, which has no run.json yet.
        name: one of `VOUCHED`.
        data: its content.
    """
    with suppress(FileNotFoundError):
        folder.remove(name)
    folder.create(name, data)


def read_vouched(folder: Folder, name: str, sha256: str) -> bytes:
    """The content of such a file.

    Args:
        folder: of the run.
        name: one of `VOUCHED`.
        sha256: of the file, as run.json has it.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        data = folder.read(name)
    except FileNotFoundError:
        raise UserError(f"{folder}/{name} is missing; restore it from a copy") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UserError(f"{folder}/{name} is damaged: its SHA-256 is not the recorded one; restore it from a copy")
    return data
