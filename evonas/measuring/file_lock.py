"""Locks on files (`flock`): a process that ends, however that happens, frees its own."""

import fcntl
import os
import tempfile
import time
from pathlib import Path

from evonas.errors import UserError

POLL_S = 0.004
"""Between two looks of who waits for a lock."""


def open_lock(path: Path) -> int:
    """Opens the file of a lock for this process alone; returns its descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(file: int, how: int) -> bool:
    """Takes a file lock if that is possible now."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UserError(
            f"{tempfile.gettempdir()}, where measurements meet, has no locks (flock: {error.strerror}): "
            f"set TMPDIR=FOLDER to one of this machine"
        ) from None
    return True


def lock_by(file: int, how: int, until: float) -> bool:
    """Waits for a file lock; False where it could not be had in time."""
    while not try_lock(file, how):
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_S)
    return True
