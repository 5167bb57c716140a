"""The processes below this one: which there are, and how all of them are ended; what this machine may give them.

On Linux this process adopts those whose parents have died (`ipc/lifetime.py`), so that none gets out of sight.
"""

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil

from evonas.machine import own_groups

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


def machine_cores() -> int:
    """Returns the cores that this process may use: of the machine, of its affinity, and of its container's quota."""
    cores = len(os.sched_getaffinity(0)) if LINUX else os.cpu_count() or 1
    quotas = [quota for folder in own_groups() if (quota := _quota(folder))]
    return max(1, math.floor(min([cores, *quotas])))


def _quota(folder: Path) -> float:
    """The cores of a control group, of version 2 or 1; 0 where it has no limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)  # "max" is no number
    with contextlib.suppress(OSError, ValueError):
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return max(0.0, int(quota) / int(period))  # -1 is no limit
    return 0.0


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
