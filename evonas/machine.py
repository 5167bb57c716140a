"""The control groups of this process, and the memory and cores that they and the machine leave it."""

import contextlib
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from evonas.errors import UserError

CGROUP = Path("/sys/fs/cgroup")


def machine_memory() -> int:
    """Returns the bytes of memory of this machine, or of its container where that has a limit."""
    import psutil  # which a board that only measures lacks

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


def machine_cores() -> int:
    """Returns the cores that this process may use: of the machine, of its affinity, and of its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for folder in own_groups() if (quota := _quota(folder))]
    return max(1, math.floor(min([cores, *quotas])))


def too_many(threads: int, cores: int | None = None, host: str = "") -> str:
    """What is wrong with so many threads in one process; empty where they have a core each.

    Args:
        threads: Of the process.
        cores: That it may use; None for those of this machine.
        host: The name of its machine; "" for this one.
    """
    cores = cores or machine_cores()
    if threads <= cores:
        return ""
    kind = "core" if cores == 1 else "cores"
    where = host or platform.node()
    return f"{threads} are more than the {cores} {kind} that a process may use on {where}: they take turns"


def too_many_of_target(target: str, threads: int, cores: int | None = None, host: str = "") -> tuple[str, str]:
    """The same of a target: what is wrong, and what would be right; both empty where nothing is.

    Args:
        target: Its name.
        threads: Of a pass.
        cores, host: As of `too_many`.
    """
    if not (why := too_many(threads, cores, host)):
        return "", ""
    right = f"give at most {cores or machine_cores()}, or measure on a machine with more cores"
    return f"targets.{target}.threads: {why}, which is another time than the device's", right


def check_threads(target: str, threads: int) -> None:
    """Makes sure that the threads of a target have a core each on this machine.

    Args:
        target: Its name.
        threads: Of a pass.

    Raises:
        UserError: They have not.
    """
    wrong, right = too_many_of_target(target, threads)
    if wrong:
        raise UserError(f"{wrong}; {right}")


def _quota(folder: Path) -> float:
    """The cores of a control group, of version 2 or 1; 0 where it has no limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)  # "max" is no number
    with contextlib.suppress(OSError, ValueError):
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return max(0.0, int(quota) / int(period))  # -1 is no limit
    return 0.0
