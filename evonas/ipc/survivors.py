"""Ends what outlives a process that was killed: processes that only it knew, and that nobody else would end.

On Linux alone. A process watches from outside (`Watcher`): a killed process does nothing any more.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from evonas.ipc.boot import command

END_S = 10.0
"""How long is looked for survivors; those that start others come late."""
LOOK_S = 0.2


_watching: "list[subprocess.Popen[bytes]]" = []
"""Held, for a watcher takes the loss of its pipe for the end of this process."""


class Watcher:
    """A process that waits for the end of this one, and then ends the survivors.

    A process counts as one where its command line begins with a prefix and it has a file of a folder open. The watcher
    ends by itself once none is left.

    Args:
        prefix: The prefix.
        folder: The folder.

    Raises:
        OSError: The process cannot be started.
    """

    def __init__(self, prefix: str, folder: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform == "linux":
            self._process = subprocess.Popen(
                command(__name__, prefix, os.path.realpath(folder)),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # what is sent to the terminal's processes is not for it
            )
            _watching.append(self._process)

    def close(self) -> None:
        """Ends the survivors now, and the watcher."""
        if self._process is not None and self._process in _watching:
            _watching.remove(self._process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.communicate(timeout=END_S)


def main(prefix: str, folder: str) -> None:
    """Waits until the other end of the standard input is closed, as the death of its process does; ends survivors.

    Args:
        prefix: As of `Watcher`.
        folder: As of `Watcher`, as a real path.
    """
    sys.stdin.buffer.read()
    end = time.monotonic() + END_S
    while (left := list(survivors(prefix, folder))) and time.monotonic() < end:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)


def survivors(prefix: str, folder: str) -> Iterator[int]:
    """Yields the ids of the processes whose command line begins with the prefix and that have a file of a folder open.

    Args:
        prefix: As of `Watcher`.
        folder: As of `Watcher`, as a real path.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended, or is another user's
            if (entry / "cmdline").read_bytes().startswith(prefix.encode()) and _has_open(entry, f"{folder}{os.sep}"):
                yield int(entry.name)


def _has_open(process: Path, folder: str) -> bool:
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(OSError):  # it has just been closed
            if os.readlink(descriptor).startswith(folder):
                return True
    return False
