"""The folder in which the processes of a user meet on one machine."""

import os
import stat
import tempfile
from pathlib import Path

from evonas.errors import UserError


def machine_folder() -> Path:
    """Returns the folder of this user on this machine, which has locks and what is known of devices.

    Raises:
        UserError: It belongs to somebody else, others may write to it, or it cannot be made.
    """
    path = Path(tempfile.gettempdir()) / f"evonas-devices-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise UserError(f"{path}, where measurements meet, cannot be made: {error.strerror}; set TMPDIR") from None
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path} belongs to somebody else; set TMPDIR to a folder of your own")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(f"others may write to {path}, where measurements meet; chmod 700 it, or remove it")
    return path
