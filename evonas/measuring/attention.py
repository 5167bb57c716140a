"""A process that has the processor's attention while it measures: priority, cores of its own, no garbage collection."""

import gc
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def attentive(threads: int) -> Iterator[Mapping[str, str]]:
    """Ordinary priority instead of the low one that Ray gives its workers, and `threads` cores, for all threads of this
    process; afterwards as before. Gives what was had, as text: `nice`, `cores`.

    A system need not permit either: then the block runs with what there is. Linux only; elsewhere nothing changes.
    """
    collecting = gc.isenabled()
    gc.disable()
    before = _state()
    try:
        _hurry()
        _pin(threads)
        yield _had()
    finally:
        _restore(before)
        if collecting:
            gc.enable()


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


def _pin(count: int) -> None:
    """To the last cores: systems tend to put their interrupts on the first. Whole ones before their hyperthreads."""
    with suppress(AttributeError, OSError):
        allowed = sorted(os.sched_getaffinity(0))
        cores = [core for core in allowed if core == _first_sibling(core)]
        chosen = cores[-count:] if len(cores) >= count else allowed[-count:]
        for thread in _threads():
            with suppress(OSError):
                os.sched_setaffinity(thread, chosen)


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


def _had() -> Mapping[str, str]:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return {"nice": str(os.getpriority(os.PRIO_PROCESS, 0)), "cores": ",".join(map(str, sorted(cores)))}
