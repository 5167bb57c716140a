"""A Ray that this run has started for itself: whether it lives, and that nothing of it outlives this process."""

import contextlib
import os
from collections.abc import Sequence

import psutil
import ray

from evonas.errors import Halted
from evonas.ipc.survivors import Watcher

VITAL = ("gcs_server", "raylet")
"""The processes without which there is no Ray. Ray itself ends this process, without a word on how to go on, a while
after it has lost one of them."""
PREFIX = "ray::"
"""How the command lines of processes begin that Ray's own processes start. Those die with this process; agents among
what they have started go on for half a minute."""


class OwnRay:
    """A Ray of this machine whose processes are children of this one.

    Args:
        children: What was started, vital or not.
        folder: That of Ray's session.
    """

    def __init__(self, children: Sequence[psutil.Process], folder: str) -> None:
        self._vital: dict[str, int] = {}
        for child in children:
            with contextlib.suppress(psutil.Error):
                if child.name() in VITAL:
                    self._vital[child.name()] = child.pid
        self._watcher = Watcher(PREFIX, folder)

    def check(self) -> None:
        """Makes sure that Ray's processes live. To be called before what Ray could not answer without them.

        Raises:
            Halted: One has ended.
        """
        for name, pid in self._vital.items():
            if not _lives(pid):
                raise Halted(f"Ray cannot go on: its process {name} ({pid}) was ended from outside or has crashed")

    def close(self) -> None:
        """Ends Ray, and whatever of it is left then."""
        ray.shutdown()
        self._watcher.close()


def _lives(child: int) -> bool:
    """Whether a child of this process has not ended. It is left to be reaped by who started it."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # it was reaped
        return False
