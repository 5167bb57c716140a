"""How much the cache of pictures may take: what was not used for the longest time goes first."""

import math
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from evonas.errors import UserError
from evonas.tasks.pictures.progress import Progress

ABOUT = "about.json"
"""Of an entry that is whole. When it was changed last says when the entry was used last."""
VARIABLE, GIGABYTES = "EVONAS_PICTURES_GB", 100.0
"""What the cache may take, in GB of 10^9 bytes, and where another number is given."""
IN_USE_S = 86400.0
"""What was used since then is in use: processes say so every hour, on any machine, which no lock does on all file
systems. It is never removed."""
TOLD_EVERY_S = 3600.0


class Entry(NamedTuple):
    """Decoded pictures: their folder, its bytes, and when they were used last, in seconds since 1970."""

    folder: Path
    size: int
    used: float


def use(entry: Path) -> None:
    """Note that an entry is used, where that can be."""
    with suppress(OSError):
        os.utime(entry / ABOUT)


def bound() -> float:
    """Bytes that the cache may take.

    Raises:
        UserError: the variable is no number of 0 or more.
    """
    given = os.environ.get(VARIABLE, "")
    try:
        gigabytes = float(given) if given.strip() else GIGABYTES
    except ValueError:
        gigabytes = math.nan
    if not gigabytes >= 0:
        raise UserError(f"{VARIABLE}: takes GB that decoded pictures may take, 0 or more, not {given!r}")
    return gigabytes * 1e9


def make_room(folder: Path, needed: int, progress: Progress) -> None:
    """Remove entries until there is room for another one, as far as they are not in use.

    Args:
        folder: the cache.
        needed: bytes of what comes.
        progress: is told what goes.
    """
    for left in folder.glob(".*.gone"):  # by who was interrupted
        shutil.rmtree(left, ignore_errors=True)
    most, entries = bound(), sorted(_entries(folder), key=lambda entry: entry.used)
    total = needed + sum(entry.size for entry in entries)
    for entry in entries:
        if total <= most or time.time() - entry.used < IN_USE_S:
            return
        gone = folder / f".{entry.folder.name}.gone"
        try:
            os.rename(entry.folder, gone)  # at once, so that nobody finds half of it
        except OSError:  # another process has been here
            continue
        shutil.rmtree(gone, ignore_errors=True)
        total -= entry.size
        day = time.strftime("%Y-%m-%d", time.localtime(entry.used))
        progress.say(
            f"{entry.folder.name}, {entry.size / 1e9:.3g} GB, last used on {day}, is removed from {folder}, which "
            f"keeps {most / 1e9:g} GB ({VARIABLE})"
        )


def _entries(folder: Path) -> list[Entry]:
    """What is whole in a cache."""
    found = []
    for about in folder.glob(f"[!.]*/{ABOUT}"):
        with suppress(OSError):  # removed meanwhile
            size = sum(file.stat().st_size for file in about.parent.iterdir())
            found.append(Entry(about.parent, size, about.stat().st_mtime))
    return found
