"""The host memory that a worker process may take, with all that it starts: a candidate that passes it is killed."""

import os

import psutil

from evonas.ipc import pinned
from evonas.records import Status
from evonas.runtime.runtime import WorkerExit
from evonas.runtime.sandbox.processes import below

CHECK_S = 0.1
"""Between two looks at a worker's memory."""
MB = 1e6


class MemoryLimit:
    """A worker's share of the memory of its machine, with what it pins for a GPU.

    Args:
        share: Bytes that a worker, with all that it starts, may take; 0 for any.
    """

    def __init__(self, share: int) -> None:
        self._share = share

    @property
    def check_s(self) -> float:
        """Seconds until the next look is due; infinite without a limit."""
        return CHECK_S if self._share else float("inf")

    def passed(self) -> WorkerExit | None:
        """Returns the exit of a worker that holds more than its share; None while it does not."""
        held = self._too_much()
        return over_memory(held, self._share, pinned.told()) if held else None

    def refusal(self) -> str:
        """Returns why a worker that is ready can do no job, whose share is less than it holds by then; else nothing."""
        held = self._too_much()
        if not held:
            return ""
        return (
            f"a worker holds {held / MB:,.0f} MB of host memory before its first candidate, and its share is "
            f"{self._share / MB:,.0f} MB: give runtime.memory_mb_per_worker, or raise runtime.cpus_per_worker or "
            "gpus_per_worker"
        )

    def _too_much(self) -> int:
        """The bytes that a worker holds, where that is more than its share; else 0."""
        if not self._share or private_memory() + pinned.told() <= self._share:
            return 0
        held = private_memory(exact=True) + pinned.told()
        return held if held > self._share else 0


def private_memory(exact: bool = False) -> int:
    """Returns the bytes that the processes below this one hold and share with no file and no object store.

    Args:
        exact: Pages that a fork shares count once. Otherwise they count in each process; to be exact costs
            milliseconds a gigabyte.
    """
    return sum(_private(pid, exact) for pid in below(os.getpid()))


def over_memory(held: int, share: int, of_the_driver: int = 0) -> WorkerExit:
    """Returns the exit of a worker that was killed because it held more memory than its share.

    Args:
        held: Bytes in all.
        share: Bytes that it may hold.
        of_the_driver: Those of `held` that are pinned for a GPU.
    """
    buffers = f", {of_the_driver / MB:,.0f} MB of it pinned for a GPU" if of_the_driver else ""
    return WorkerExit(
        Status.FAILED_OOM,
        f"took {held / MB:,.0f} MB of host memory{buffers}, its worker's share is {share / MB:,.0f} MB "
        "(runtime.memory_mb_per_worker)",
    )


def _private(pid: int, exact: bool) -> int:
    try:
        process = psutil.Process(pid)
        memory = process.memory_full_info() if exact else process.memory_info()
    except psutil.Error:
        return 0
    private = int(memory.rss) - int(getattr(memory, "shared", 0))
    return min(private, int(getattr(memory, "pss", private)))
