"""Works that need no torch: they show what passes between a worker process and its parent process."""

import ctypes
import gc
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.ipc import heartbeat
from evonas.records import Evaluation, Job, RungReport, Status
from evonas.runtime.runtime import Work

LARGE = 100 * 10**6


def good(job: Job) -> Iterator[Any]:
    yield Evaluation(job.candidate, Status.OK, {"pid": float(os.getpid()), "collects": float(gc.isenabled())})


def slow(job: Job) -> Iterator[Any]:
    yield RungReport(job.candidate.index, 0, {"pid": float(os.getpid())})
    time.sleep(100)


def large(job: Job) -> Iterator[Any]:
    yield Evaluation(job.candidate, Status.OK, weights=bytes(LARGE))


def local(job: Job) -> Iterator[Any]:
    yield Evaluation(job.candidate, Status.OK, {"x": lambda: 0})  # type: ignore[dict-item]


def foreign(job: Job) -> Iterator[Any]:
    yield Evaluation(job.candidate, Status.OK, {"x": Decimal(1)})  # type: ignore[dict-item]


def text(job: Job) -> Iterator[Any]:
    yield "a result"


def silent(job: Job) -> Iterator[Any]:
    yield RungReport(job.candidate.index, 0, {})


def interrupted(job: Job) -> Iterator[Any]:
    raise KeyboardInterrupt
    yield


def first_waits(file: str, job: Job) -> Iterator[Any]:
    """Candidate 0 takes until a file is there."""
    while job.candidate.index == 0 and not os.path.exists(file):
        time.sleep(0.02)
    yield Evaluation(job.candidate, Status.OK)


def many(job: Job) -> Iterator[Any]:
    for rung in range(2000):
        yield RungReport(job.candidate.index, rung, {"x": 1.0})
    yield Evaluation(job.candidate, Status.OK)


def lasting(job: Job) -> Iterator[Any]:
    """Its process ends just after it has said everything."""
    yield RungReport(job.candidate.index, 0, {})
    signal.setitimer(signal.ITIMER_REAL, 3.0)
    time.sleep(0.3)
    yield Evaluation(job.candidate, Status.OK)


def closing(job: Job) -> Iterator[Any]:
    os.closerange(3, 100)
    yield Evaluation(job.candidate, Status.OK)


def torn(job: Job) -> Iterator[Any]:
    """Dies in the middle of a frame, while a child of its own holds the other end open."""
    if not os.fork():
        time.sleep(100)
        os._exit(0)
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, b"e" + (1000).to_bytes(8) + b"half")
        except OSError:
            continue
    os._exit(7)
    yield


def talk() -> None:
    """Through Python, C, a descriptor and another process, with nothing flushed."""
    print("from Python", flush=True)  # C has a buffer of its own, which would come first
    ctypes.CDLL(None).printf(b"from C\n")
    ctypes.CDLL(None).fflush(None)
    os.write(2, b"by descriptor\n")
    subprocess.run(["echo", "from a child"], check=True)
    print("at the end", end="")


def talking(job: Job) -> Iterator[Any]:
    talk()
    yield Evaluation(job.candidate, Status.OK, log="Traceback of it")


def talking_to_death(job: Job) -> Iterator[Any]:
    talk()
    print()
    os.kill(os.getpid(), signal.SIGKILL)
    yield


def talking_for_ever(job: Job) -> Iterator[Any]:
    while True:
        print("on and on")
    yield


def raising(job: Job) -> Iterator[Any]:
    raise KeyError("x")
    yield


def deaf(job: Job) -> Iterator[Any]:
    """Closes what it could print into."""
    os.closerange(1, 3)
    yield Evaluation(job.candidate, Status.OK)


def standing_still(job: Job) -> Iterator[Any]:
    """As a training whose kernel hangs, after an epoch of a hundredth of a second."""
    heartbeat.beat(0.1, 0.01)
    time.sleep(100)
    yield


class Wearing:
    """It is worn out by its second candidate."""

    done = 0

    @property
    def worn(self) -> bool:
        return self.done == 2

    def __call__(self, job: Job) -> Iterator[Any]:
        self.done += 1
        yield from good(job)


WORKS: tuple[Callable[[Job], Iterator[Any]], ...] = (
    good, slow, large, local, foreign, text, silent, interrupted, many, closing, torn, lasting,
    talking, talking_to_death, talking_for_ever, raising, deaf, standing_still,
)  # fmt: skip


def by_gene(data: Any = None) -> Work:
    """The work that a genome's gene names; checks that the data came through."""
    assert data is None or (not data.flags.writeable and data.sum() == data.size)
    return lambda job: WORKS[job.candidate.genome[0]](job)


def ones(count: int) -> Any:
    return np.ones(count, np.uint8)


def refusing() -> Work:
    raise UserError("targets.gpu: there is no cuda:7")


def failing() -> Work:
    raise KeyError("x")


def dying() -> Work:
    os._exit(4)


def vanishing(mark: str) -> Work:
    """Works once; no worker after the first can start."""
    if os.path.exists(mark):
        raise UserError("the GPU has gone")
    open(mark, "w").close()
    return by_gene()


def hanging() -> Work:
    time.sleep(100)
    return by_gene()
