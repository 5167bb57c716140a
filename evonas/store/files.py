"""Files that appear whole or not at all, and a lock that a dead process frees by itself."""

import fcntl
import os
from pathlib import Path
from typing import IO

from evonas.records import UserError


def write_once(path: Path, data: bytes) -> None:
    """Temporary name, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(path: Path) -> IO[bytes]:
    """Hold the lock until the returned file is closed.

    Raises:
        UserError: another process holds it.
    """
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise UserError(f"another search is writing to {path.parent}; wait for it or give another --run") from None
    return file


def is_locked(folder: Path) -> bool:
    """Whether a search is writing to the folder now."""
    try:
        with (folder / ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
