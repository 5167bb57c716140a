"""What the reference network takes on a quiet device is found out once: it takes seconds, in which nobody trains."""

import hashlib
import json
import os
import platform
import stat
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from evonas import atomic_files
from evonas.measuring.machine_folder import machine_folder
from evonas.measuring.plausibility import LONGEST_MS

LONGEST_BYTES = 2**16
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Alike in all containers of a machine, whose names and folders differ, until it starts again."""


class Baselines:
    """Keeps baselines for other processes of this machine, and in a shared folder for its other containers.

    What another machine of the same model takes is not taken over: as it heats up and as it is set up, it differs.

    Args:
        shared: folder that containers share; None: there is none.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared

    def known(self, description: Sequence[object]) -> Iterator[float]:
        """What this user has kept, milliseconds, and which may be that of a device as it no longer is.

        Args:
            description: of the reference, of how it runs and on what, as plain data.
        """
        for path, of in self._places(description):
            if (ms := _read(path, of)) is not None:
                yield ms

    def keep(self, description: Sequence[object], ms: float) -> None:
        """Write a baseline wherever another one is, or none.

        Args:
            description: as for `known`.
            ms: milliseconds.

        Raises:
            OSError: not even this machine's own folder takes it.
        """
        for path, of in self._places(description):
            if _read(path, of) != ms:
                # a shared folder that is full or gone costs the next container some seconds
                with suppress(OSError) if path.parent == self._shared else nullcontext():
                    _write(path, of, ms)

    def _places(self, description: Sequence[object]) -> Iterator[tuple[Path, str]]:
        protocol, *rest = description
        folders = [(machine_folder(), platform.node()), *([(self._shared, _machine())] if self._shared else [])]
        for where, machine in folders:
            of = json.dumps([protocol, machine, *rest], sort_keys=True)
            yield where / f"reference-{hashlib.sha256(of.encode()).hexdigest()[:16]}.json", of


def _machine() -> str:
    try:
        return BOOT.read_text().strip()
    except OSError:
        return platform.node()


def _write(path: Path, of: str, ms: float) -> None:
    atomic_files.replace(path, json.dumps({"ms": ms, "of": of}).encode())


def _read(path: Path, conditions: str) -> float | None:
    """A baseline that this user has kept for these conditions; None where there is none, or none that can be right."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & OTHERS_WRITE:
                return None
            found = json.loads(file.read(LONGEST_BYTES))
        ms = float(found["ms"])
        return ms if found["of"] == conditions and 0 < ms <= LONGEST_MS else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
