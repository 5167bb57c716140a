"""One worker's place: a process that runs candidates, kept by another, so that nothing here can be harmed by either.

parent process (this process: no torch, nothing of the user's)
  fork server   (has imported torch; forks, watches, ends)
    worker (makes the `Work`, runs jobs)
"""

import io
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evonas import records
from evonas.errors import UserError
from evonas.records import Deferred, Evaluation, Job, RungReport, Status
from evonas.runtime.runtime import Message, Report, WorkerExit
from evonas.runtime.sandbox.framing import REQUEST, RESPONSE, Channel, Frame, FrameType
from evonas.runtime.sandbox.payload import Payload, hold, sweep
from evonas.runtime.sandbox.processes import machine_memory

__all__ = ["WorkerProcess", "WorkerProcessLost", "machine_memory"]

BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from evonas.runtime.sandbox.fork_server import main
main(*sys.argv[2:])
"""
"""`python -m` would put the working directory before everything, and knows only what is installed."""
CLOSE_S = 15.0


class WorkerProcessLost(Exception):
    """The fork server is gone, or can make no worker any more. No candidate is to blame."""


class WorkerProcess:
    """A worker process and its fork server, which start at once.

    memory_bytes: host memory that a worker, with all that it starts, may take.

    Raises:
        UserError: the payload does not fit into this node's folder for temporary files.
    """

    def __init__(self, payload: Payload, memory_bytes: int | None = None) -> None:
        self._number = 0
        self._ready = False
        self._frames: deque[Frame] = deque()
        sweep()
        file = hold(payload)
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        arguments = [json.dumps(sys.path), theirs.fileno(), file, memory_bytes or 0, payload.preload]
        try:
            self._fork_server = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), file),
                start_new_session=True,  # the terminal's Ctrl-C is for the parent process to act on
            )
        finally:
            theirs.close()
            os.close(file)

    def ready(self, seconds: float) -> None:
        """Waits until the worker can take jobs.

        Raises:
            UserError: it cannot start, or not within so many seconds; in the words of the factory's own UserError.
            WorkerProcessLost: the fork server is gone.
        """
        if self._ready:
            return
        frame = self._receive(seconds)
        if frame is None:
            raise UserError(f"it did not start within {seconds:g} s")
        kind, body = frame
        if kind is FrameType.REFUSED:
            raise UserError(body.decode())

    def run(self, job: Job, seconds: float, beat: float) -> Iterator[Report | None]:
        """Each `RungReport`, then one `Evaluation`, `Deferred` or `WorkerExit`; None whenever `beat` seconds passed
        without a word.

        seconds: deadline, from when the worker takes the job. A job whose reports are not heard to the end is given up.

        Raises:
            WorkerProcessLost: the fork server is gone, or can make no worker any more.
        """
        self._number += 1
        try:
            self._channel.send(FrameType.JOB, REQUEST.pack(self._number, seconds), pickle.dumps(job, protocol=5))
        except OSError:
            raise WorkerProcessLost(self._how_fork_server_ended()) from None
        item: Report | None = None
        while not isinstance(item, Evaluation | Deferred | WorkerExit):
            frame = self._receive(beat)
            if frame and not self._is_of_this_job(frame):
                continue
            item = _item(frame) if frame else None
            yield item

    def close(self) -> None:
        """End the worker, with all that it started, and the fork server."""
        self._channel.close()
        try:
            self._fork_server.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._fork_server.kill()
            self._fork_server.wait()
        sweep()

    def _is_of_this_job(self, frame: Frame) -> bool:
        kind, body = frame
        if kind is FrameType.REFUSED:
            raise WorkerProcessLost(f"no worker can start any more: {body.decode()}")
        return kind is not FrameType.READY and RESPONSE.unpack_from(body)[0] == self._number

    def _receive(self, seconds: float) -> Frame | None:
        until = time.monotonic() + seconds
        while not self._frames:
            self._frames += self._channel.read()
            if self._frames:
                break
            if self._channel.ended:
                raise WorkerProcessLost(self._how_fork_server_ended())
            if (rest := until - time.monotonic()) <= 0:
                return None
            self._channel.wait(rest)
        frame = self._frames.popleft()
        self._ready |= frame[0] is FrameType.READY
        return frame

    def _how_fork_server_ended(self) -> str:
        try:
            code = self._fork_server.wait(1.0)
        except subprocess.TimeoutExpired:
            return "its fork server hung up"
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
        return f"the fork server of its process {how}"


class _Records(pickle.Unpickler):
    """Unpickles plain values and records of evonas; anything else could bring torch or the user's code here."""

    def find_class(self, module: str, name: str) -> Any:
        if module != records.__name__:
            raise pickle.UnpicklingError(f"it holds a {module}.{name}")
        return super().find_class(module, name)


def _item(frame: Frame) -> Report:
    kind, body = frame
    _, left = RESPONSE.unpack_from(body)
    content = io.BytesIO(body)
    content.seek(RESPONSE.size)
    if kind is FrameType.WORKER_EXIT:
        status, message = content.read().decode().split("\n", 1)
        return WorkerExit(Status(status), message)
    try:
        item: Message | Deferred = _Records(content).load()
    except pickle.UnpicklingError as error:
        return WorkerExit(Status.FAILED_ERROR, f"its result cannot be sent: {error}")
    if isinstance(item, RungReport | Deferred) or not left:
        return item
    behind = "1 process behind, which was" if left == 1 else f"{left} processes behind, which were"
    return replace(item, message="; ".join(filter(None, [item.message, f"it left {behind} ended"])))
