"""The process that runs candidates, one job after another, and tells its fork server whatever comes of them.

It is a fork of its fork server, which has imported the heavy modules, and it is thrown away as soon as it cannot be
trusted.
"""

import contextlib
import faulthandler
import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Collection, Generator

from evonas.errors import UserError
from evonas.ipc import heartbeat
from evonas.ipc.lifetime import die_first, die_with_parent
from evonas.records import Deferred, Evaluation, Job, RungReport, Status
from evonas.runtime import printed
from evonas.runtime.global_state import GlobalState, with_note
from evonas.runtime.kind import packed
from evonas.runtime.runtime import Message, Work
from evonas.runtime.sandbox.packing import load
from evonas.runtime.sandbox.processes import reap
from evonas.runtime.sandbox.protocol import BEAT, FrameType, WorkerChannel
from evonas.text import describe_error

STACK_SIGNAL = signal.SIGUSR2
"""Makes the process write down where in the code it is."""
GRACE_S = 0.1
"""What a candidate has started gets so long to end after it."""


class _Unsendable(Exception):
    pass


def serve(channel: WorkerChannel, file: int, stack: int, output: int, fork_server: int) -> None:
    """Runs jobs until the fork server hangs up.

    Args:
        channel: The worker's end of the channel to the fork server.
        file: The descriptor of the held payload.
        stack: The descriptor of the file into which `faulthandler` writes.
        output: The descriptor into which goes what candidates print.
        fork_server: The process id of the fork server.
    """
    _separate(stack, fork_server)
    try:
        work = load(file)()
        alike = packed(work)
    except BaseException as error:
        why = str(error) if isinstance(error, UserError) else describe_error(error)
        channel.send(FrameType.REFUSED, why.encode(errors="backslashreplace"))
        return
    os.close(file)  # what is mapped stays
    with contextlib.suppress(Exception):  # what a killed process holds is lost: it shall be little
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    heartbeat.connect(lambda *seconds: channel.send(FrameType.BEAT, BEAT.pack(*seconds)))
    threads, state = set(threading.enumerate()), GlobalState()
    gc.collect()
    gc.freeze()  # what stays for good, the state too, need not be looked through after each candidate
    channel.send(FrameType.READY, alike)
    while (frame := channel.receive()) is not None:
        job: Job = pickle.loads(frame[1])
        printed.connect(output)
        channel.send(FrameType.ACCEPTED)
        kind, body = _do(work, job, channel, state)
        gc.collect()  # what a candidate's objects do at their end must be its own fault, not that of the next one
        reap()
        if kind is FrameType.EVALUATION and _threads_left(threads):
            kind = FrameType.FINAL_AND_EXIT
        printed.flush()
        channel.send(kind, body)


def _separate(stack: int, fork_server: int) -> None:
    """Becomes a process of its own, with a session of its own, so that signals to its group reach nobody else."""
    os.setsid()
    die_with_parent(fork_server)
    die_first()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(stack, all_threads=False)
    faulthandler.register(STACK_SIGNAL, stack, all_threads=False)


def _do(work: Work, job: Job, channel: WorkerChannel, state: GlobalState) -> tuple[FrameType, bytes]:
    """Sends the rungs' reports; returns the final result, whatever happens."""
    try:
        return _report(work, job, channel, state)
    except _Unsendable as error:
        return FrameType.WORKER_EXIT, str(error).encode()
    except BaseException as error:  # SystemExit and KeyboardInterrupt of the user's code too
        with contextlib.suppress(Exception):
            traceback.print_exc()
        return FrameType.WORKER_EXIT, describe_error(error).encode()


def _report(work: Work, job: Job, channel: WorkerChannel, state: GlobalState) -> tuple[FrameType, bytes]:
    reports = work(job)
    for item in reports:
        if isinstance(item, Evaluation | Deferred):
            if isinstance(reports, Generator):
                reports.close()
            crashed = item.lost_gpu if isinstance(item, Deferred) else item.status is Status.FAILED_CRASH
            changes, worn = state.changes(), getattr(work, "worn", False)
            kind = FrameType.FINAL_AND_EXIT if changes or crashed or worn else FrameType.EVALUATION
            return kind, _packed(with_note(item, changes))
        if not isinstance(item, RungReport):
            return FrameType.WORKER_EXIT, f"its work reported a {type(item).__name__}, not an Evaluation".encode()
        channel.send(FrameType.RUNG_REPORT, _packed(item))
    return FrameType.WORKER_EXIT, b"its work ended without a result"


def _packed(item: Message | Deferred) -> bytes:
    try:
        return pickle.dumps(item, protocol=5)
    except BaseException as error:
        raise _Unsendable(f"its result cannot be sent: {describe_error(error)}") from None


def _threads_left(known: Collection[threading.Thread]) -> bool:
    """Whether a candidate has left threads behind, which would run on under those after it."""
    new = [t for t in threading.enumerate() if t not in known and not isinstance(t, threading._DummyThread)]
    for thread in new:
        thread.join(GRACE_S)
    return any(thread.is_alive() for thread in new)
