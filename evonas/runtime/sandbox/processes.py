"""The processes below this one: which there are, and how all of them are ended.

On Linux this process adopts those whose parents have died (`ipc/lifetime.py`), so that none gets out of sight.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator

import psutil

LINUX = sys.platform == "linux"
END_S = 5.0
"""A process that a kill has not ended by then hangs in its kernel and is given up."""


def descendants(besides: Collection[int] = ()) -> list[int]:
    """Returns the ids of all processes below this one that live.

    Args:
        besides: The ids of those that are not asked for, which costs nothing for them.
    """
    return [pid for pid in below(os.getpid()) if pid not in besides and not _is_zombie(pid)]


def end_all(group: int, unkillable: Collection[int] = ()) -> list[int]:
    """Kills all descendants, and a process group that some of them may be in, and reaps them.

    Args:
        group: The id of the process group.
        unkillable: The ids of processes that an earlier kill did not end; they are not waited for.

    Returns:
        The ids of the processes that this kill did not end.
    """
    if not LINUX:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    end = time.monotonic() + END_S
    while True:
        reap()
        left = [pid for pid in below(os.getpid()) if pid not in unkillable]
        if not left or time.monotonic() > end:
            return left
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def reap() -> dict[int, int]:
    """Reaps the children that have ended; returns process id -> wait status."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            ended[child[0]] = child[1]
    return ended


def below(pid: int) -> Iterator[int]:
    """Everything below a process, what has ended and waits to be reaped included."""
    for child in _children(pid):
        yield child
        yield from below(child)


def _children(pid: int) -> list[int]:
    if not LINUX:
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children()]
        return []
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has just ended
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
    return found


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended in all its threads: where the first has, the others may run on."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1)
    except psutil.Error:
        return True
