"""The fork server keeps one worker process: it forks it, watches it, ends it when it must, and forks the next.

It runs nothing of the user's and unpickles nothing, so nothing that a candidate does can reach it but a signal. It has
one thread and makes no computation with torch, so that its forks are sound; that they need not import torch again makes
a new worker cost hundredths of a second.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from importlib import import_module

from evonas.ipc import pinned
from evonas.ipc.framing import Channel
from evonas.ipc.lifetime import adopt_orphans
from evonas.records import Status
from evonas.runtime.runtime import WorkerExit
from evonas.runtime.sandbox.exits import from_wait_status, over_deadline, silent
from evonas.runtime.sandbox.forked_worker import START_S, ForkedWorker, fork
from evonas.runtime.sandbox.memory_limit import MemoryLimit
from evonas.runtime.sandbox.packing import sweep
from evonas.runtime.sandbox.processes import descendants, end_all, reap
from evonas.runtime.sandbox.protocol import BEAT, REQUEST, RESPONSE, FrameType, WorkerChannel, WorkerFrame
from evonas.runtime.sandbox.silence import Silence
from evonas.runtime.sandbox.worker import GRACE_S

STARTS = 3
"""So many workers in a row that took no job are enough, where earlier ones did."""
RESTART_S = 1.0  # a GPU may need a moment to free what a killed process held


@dataclass(slots=True)
class _Task:
    """A job as the fork server follows it.

    deadline: None until it is handed to a worker. accepted: whether the worker has said that it has it.
    """

    number: int
    seconds: float
    job: bytes
    deadline: float | None = None
    accepted: bool = False


class ForkServer:
    """A single-threaded process between the parent process and the worker that runs candidates.

    Args:
        parent: The channel to the parent process.
        file: The descriptor of the held payload.
        memory: Bytes that a worker, with all that it starts, may take; 0 for any.
    """

    def __init__(self, parent: WorkerChannel, file: int, memory: int) -> None:
        self._parent, self._file, self._memory_limit = parent, file, MemoryLimit(memory)
        self._silence = Silence()
        pinned.watch()
        self._task: _Task | None = None
        self._unkillable: set[int] = set()  # processes that a kill does not end
        self._failures = 0
        self._started = False
        self._wake, wakened = socket.socketpair()
        self._wakened = wakened
        for end in (self._wake, wakened):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakened.fileno(), warn_on_full_buffer=False)
        self._worker = self._fork()

    def run(self) -> None:
        """Serves until the parent process hangs up or is gone."""
        while not self._parent.ended:
            ready = self._sleep()
            if self._parent.end.fileno() in ready:
                for _, body in self._parent.read():
                    self._on_request(body)
            self._parent.flush()
            self._worker.channel.flush()
            if self._worker.output.end in ready:
                self._worker.output.read()
            ended = reap()
            self._unkillable -= ended.keys()
            self._worker.status = ended.get(self._worker.pid, self._worker.status)
            if self._worker.channel.end.fileno() in ready or self._worker.status is not None:
                self._on_frames()  # after `reap`: what a worker said before its end is heard before its end
            self._watch()

    def close(self) -> None:
        """Ends everything below this process."""
        self._end_worker()
        signal.set_wakeup_fd(-1)

    def _sleep(self) -> set[int]:
        """Waits until something happens, or it is time to look.

        Returns:
            The descriptors at which something has happened. What is not read is there the next time.
        """
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        for channel in (self._parent, self._worker.channel):
            if not channel.ended:
                poll.register(channel.end, select.POLLIN | (select.POLLOUT if channel.pending else 0))
        if not self._worker.output.ended:
            poll.register(self._worker.output.end, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(self._timeout() * 1000)}
        if self._wake.fileno() in ready:
            self._wake.recv(4096)
        return ready

    def _timeout(self) -> float:
        """Returns the seconds until a look at the worker is due."""
        task, worker = self._task, self._worker
        until = START_S
        if not worker.ready:
            until = worker.start_by - time.monotonic()
        elif task and task.deadline is not None:
            until = min(until, task.deadline - time.monotonic(), self._memory_limit.check_s, self._silence.look_s)
        return max(0.0, until)

    def _on_request(self, body: bytes) -> None:
        if self._task and self._task.deadline is not None:  # a parent process that asks again has given it up
            self._replace()
        number, seconds = REQUEST.unpack_from(body)
        self._task = _Task(number, seconds, body[REQUEST.size :])

    def _on_frames(self) -> None:
        worker = self._worker
        for kind, body in worker.channel.read():
            if kind is FrameType.READY:
                self._on_ready(body)
            elif kind is FrameType.REFUSED:
                self._on_refused(body)
            elif kind is FrameType.ACCEPTED and self._task:
                self._task.accepted, self._failures = True, 0
            elif kind is FrameType.BEAT:
                if len(body) == BEAT.size:  # a candidate may write into the channel, too
                    self._silence.heard(*BEAT.unpack(body))
            elif self._task:
                self._forward(self._task, (kind, body))
            if worker is not self._worker:
                return

    def _forward(self, task: _Task, frame: WorkerFrame) -> None:
        kind, body = frame
        if kind is FrameType.RUNG_REPORT:
            self._parent.post(kind, RESPONSE.pack(task.number, 0), body)
        elif kind is FrameType.WORKER_EXIT:
            self._end_job(WorkerExit(Status.FAILED_ERROR, body.decode()))
        else:
            left = self._left_behind()
            self._post_printed(task.number)
            if left or kind is FrameType.FINAL_AND_EXIT:
                self._replace()
            self._task = None
            self._parent.post(FrameType.EVALUATION, RESPONSE.pack(task.number, len(left)), body)

    def _watch(self) -> None:
        worker, task = self._worker, self._task
        now = time.monotonic()
        if worker.status is not None:
            stack = worker.where()
            self._on_exit(from_wait_status(worker.status, stack), stack)
        elif not worker.ready:
            if now >= worker.start_by:
                self._on_refused(f"it did not start within {START_S:g} s".encode())
        elif task and task.deadline is None:
            task.deadline = now + task.seconds
            self._silence.expect_none()
            worker.output.begin()
            worker.channel.post(FrameType.JOB, task.job)
        elif task and task.deadline is not None and now >= task.deadline:
            stack = worker.ask_stack()
            self._end_job(over_deadline(task.seconds, stack), stack)
        elif task and self._silence.passed():
            stack = worker.ask_stack()
            self._end_job(silent(self._silence.allowed_s, self._silence.epoch_s, stack), stack)
        elif task and (exit := self._memory_limit.passed()):
            self._end_job(exit)

    def _on_ready(self, body: bytes) -> None:
        self._worker.ready, self._worker.own = True, descendants()
        if not self._started:
            if why := self._memory_limit.refusal():
                self._on_refused(why.encode())
            self._started = True
            self._parent.post(FrameType.READY, body)

    def _on_refused(self, why: bytes) -> None:
        """Starts another worker in the place of one that can take no job.

        Raises:
            SystemExit: None ever could, or none can any more: there is nothing to keep.
        """
        self._failures += 1
        if not self._started or self._failures == STARTS:
            self._parent.post(FrameType.REFUSED, why)
            raise SystemExit
        self._end_worker()
        time.sleep(RESTART_S * (self._failures - 1))
        self._worker = self._fork()
        if self._task:
            self._task.deadline = None

    def _on_exit(self, exit: WorkerExit, stack: str) -> None:
        """Blames the job for a worker that has ended by itself, but only one that it had accepted."""
        if self._task and self._task.accepted:
            self._end_job(exit, stack)
        else:
            self._on_refused(exit.message.encode())

    def _end_job(self, exit: WorkerExit, stack: str = "") -> None:
        """Ends the job with its worker, and tells the parent process how."""
        assert self._task
        number, self._task = self._task.number, None
        self._post_printed(number, stack)
        self._replace()
        self._parent.post(FrameType.WORKER_EXIT, RESPONSE.pack(number, 0), f"{exit.status}\n{exit.message}".encode())

    def _post_printed(self, number: int, stack: str = "") -> None:
        """Tells the parent process what the job printed, and where in the code it was."""
        parts = [self._worker.output.printed(), stack.encode()]
        if printed := b"\n".join(filter(None, parts)):
            self._parent.post(FrameType.PRINTED, RESPONSE.pack(number, 0), printed)

    def _left_behind(self) -> list[int]:
        """Returns the ids of processes that a job has started and that do not end with it."""
        expected = {self._worker.pid, *self._worker.own, *self._unkillable}
        until = time.monotonic() + GRACE_S
        while left := descendants(besides=expected):
            if time.monotonic() > until:
                break
            time.sleep(GRACE_S / 20)
        return left

    def _replace(self) -> None:
        self._end_worker()
        self._worker = self._fork()

    def _end_worker(self) -> None:
        self._unkillable.update(end_all(self._worker.pid, self._unkillable))
        self._worker.close()

    def _fork(self) -> ForkedWorker:
        return fork(self._file, (self._wake, self._wakened, self._parent.end))


def main(parent: str, file: str, memory: str, preload: str) -> None:
    """Serves until the parent process is gone.

    Args:
        parent: The descriptor of the channel to the parent process, as text, like all arguments.
        file: The descriptor of the held payload.
        memory: Bytes that a worker may take, 0 for any.
        preload: A module to import before the first fork, "" for none.
    """
    del sys.argv[1:]  # the user's code may look for its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    adopt_orphans()
    gc.disable()  # what is imported stays, and to look through it again and again takes a sixth of the time
    with contextlib.suppress(Exception):  # the worker meets the same error and says so
        if preload:
            import_module(preload)
    gc.freeze()  # with the little garbage of imports, which takes longer to find than to keep
    gc.enable()
    try:
        fork_server = ForkServer(Channel(socket.socket(fileno=int(parent)), FrameType), int(file), int(memory))
        try:
            fork_server.run()
        finally:
            fork_server.close()
    finally:
        os.close(int(file))
        sweep()
