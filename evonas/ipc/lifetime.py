"""When a process must end: with its parent, or before others when memory runs out; and what becomes of orphans.

On Linux the kernel sees to it. Elsewhere a process that cuts itself off from its parents gets out of sight.
"""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
"""Both from linux/prctl.h."""


def die_with_parent(parent: int) -> None:
    """Makes the kernel end this process once its parent is gone; if that is so already, the process ends here.

    Args:
        parent: The parent's process id, as the parent said it: after its death `os.getppid` gives another.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def die_first() -> None:
    """Makes the kernel end this process rather than another when the machine runs out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def adopt_orphans() -> None:
    """Makes this process the parent of all descendants whose own parents die, so that none gets out of sight."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
