"""A process that measures gets priority, cores and memory of its own, and no garbage collection."""

import fcntl
import gc
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from evonas.measuring.file_lock import open_lock, try_lock
from evonas.measuring.kept_memory import keep_memory
from evonas.measuring.machine_folder import machine_folder
from evonas.measuring.numa import Nearby


@contextmanager
def pinned(threads: int, near: Nearby | None = None) -> Iterator[Mapping[str, str]]:
    """All threads of this process have ordinary priority in the block, instead of the low one that Ray gives its
    workers, and `threads` cores, on which no other process of this user measures as long as there are such; afterwards
    all is as before.

    A system need not permit either: then the block runs with what there is. This works on Linux only; elsewhere nothing
    changes.

    Args:
        threads: how many cores.
        near: cores that are taken first, and where those are; None: all are alike.

    Yields:
        What was had, as text: `nice`, `cores`, `memory`, and `numa` where some cores are nearer than others.
    """
    collecting = gc.isenabled()
    gc.disable()
    kept = keep_memory()
    before = _state()
    claims: list[int] = []
    try:
        _hurry()
        claims = _pin(threads, near.cores if near else ())
        yield {**_had(near), "memory": "kept" if kept else "returned"}
    finally:
        _restore(before)
        for claim in claims:
            os.close(claim)
        if collecting:
            gc.enable()


def claim_cores(cores: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Takes cores that nobody else measures on, as far as there are such.

    Args:
        cores: The numbers of those that may be taken, the best first.
        count: How many.

    Returns:
        The cores, and the files that are to be closed when they are not needed any more.
    """
    claimed: dict[int, int] = {}
    for core in cores:
        if len(claimed) == count:
            break
        file = open_lock(machine_folder() / f"core-{core}")
        if try_lock(file, fcntl.LOCK_EX):
            claimed[core] = file
        else:
            os.close(file)
    others = [core for core in cores if core not in claimed]
    return [*claimed, *others[: count - len(claimed)]], list(claimed.values())


def _threads() -> Collection[int]:
    """All threads of this process: the system schedules each by itself."""
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return []


def _state() -> Mapping[int, tuple[int, Collection[int]]]:
    found: dict[int, tuple[int, Collection[int]]] = {}
    for thread in _threads():
        with suppress(OSError):  # it has just ended
            found[thread] = os.getpriority(os.PRIO_PROCESS, thread), os.sched_getaffinity(thread)
    return found


def _hurry() -> None:
    for thread in _threads():
        with suppress(OSError):  # not permitted: it takes CAP_SYS_NICE, or a limit that allows it (ulimit -e)
            if os.getpriority(os.PRIO_PROCESS, thread) > 0:
                os.setpriority(os.PRIO_PROCESS, thread, 0)


def _pin(count: int, near: Collection[int]) -> list[int]:
    """To the last cores: systems tend to put their interrupts on the first. Those that are near before others, whole
    ones before their hyperthreads.

    Returns:
        The files that hold them.
    """
    claims: list[int] = []
    with suppress(AttributeError, OSError):
        allowed = sorted(os.sched_getaffinity(0), reverse=True)
        ours = [core for core in allowed if core in near]
        chosen, claims = claim_cores(
            [*_whole(ours, count), *_whole([c for c in allowed if c not in near], count)], count
        )
        for thread in _threads():
            with suppress(OSError):
                os.sched_setaffinity(thread, chosen)
    return claims


def _whole(cores: Sequence[int], count: int) -> Sequence[int]:
    """Those without the second hyperthreads of the others, where these are enough."""
    found = [core for core in cores if core == _first_sibling(core)]
    return found if len(found) >= count else cores


def _first_sibling(core: int) -> int:
    """The first hyperthread on the same physical core; the core itself where that cannot be read."""
    try:
        text = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text()
        return int(text.replace("-", ",").partition(",")[0])
    except (OSError, ValueError):
        return core


def _restore(before: Mapping[int, tuple[int, Collection[int]]]) -> None:
    """Threads that began in between get what the main thread has."""
    own = before.get(os.getpid())
    for thread in _threads():
        state = before.get(thread, own)
        if state is None:
            continue
        with suppress(OSError):
            os.sched_setaffinity(thread, state[1])
            if os.getpriority(os.PRIO_PROCESS, thread) != state[0]:
                os.setpriority(os.PRIO_PROCESS, thread, state[0])


def _had(near: Nearby | None) -> Mapping[str, str]:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    where = near.told(cores) if near else {}
    return {"nice": str(os.getpriority(os.PRIO_PROCESS, 0)), "cores": ",".join(map(str, sorted(cores))), **where}
