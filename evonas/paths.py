"""The one rule for a path in a config: `~` and $VARIABLES as in a shell, a relative one from the working folder;
and how a path is shown."""

import os
import re
from pathlib import Path

from evonas.errors import UserError


def expanded(path: str | Path, key: str) -> Path:
    """What a path in a config means on this machine.

    Args:
        path: as the config has it.
        key: of the config, for messages.

    Raises:
        UserError: it names a variable that is not set, or a user that does not exist.
    """
    found = os.path.expandvars(os.path.expanduser(path))
    if left := re.search(r"\$(\w+|\{\w+\})", found):
        raise UserError(f"{key}: {path}: the variable {left[0]} is not set")
    if found.startswith("~") and not Path(found).exists():
        raise UserError(f"{key}: {path}: there is no home folder {Path(found).parts[0]}")
    return Path(found)


def from_here(where: str) -> str:
    """A path as short as it can be said: relative where it is below the working folder; a URL as it is."""
    try:
        return str(Path(where).relative_to(Path.cwd())) if "://" not in where else where
    except (ValueError, OSError):  # it is elsewhere, or the working folder is gone
        return where
