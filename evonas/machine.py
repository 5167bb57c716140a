"""The control groups of this process, and the memory that they and the machine leave it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def machine_memory() -> int:
    """Returns the bytes of memory of this machine, or of its container where that has a limit."""
    limits = [int(psutil.virtual_memory().total)]
    for file in _limit_files():
        with contextlib.suppress(OSError, ValueError):  # it is not there, or says "max"
            limits.append(int(file.read_text()))
    return min(limits)


def _limit_files() -> Iterator[Path]:
    """Where cgroups of version 2, then 1, keep the memory limits that may hold for this process."""
    yield from (folder / "memory.max" for folder in own_groups())
    yield CGROUP / "memory" / "memory.limit_in_bytes"


def own_groups() -> Iterator[Path]:
    """The control groups of this process: of version 2, innermost first, then that of processors of version 1."""
    with contextlib.suppress(OSError):
        own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        innermost = CGROUP / own.lstrip("/")
        yield from (folder for folder in (innermost, *innermost.parents) if folder.is_relative_to(CGROUP))
    yield CGROUP / "cpu"
