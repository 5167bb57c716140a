"""A worker process as its parent process sees it: kept by a fork server, so that neither can harm anything here.

parent process (this process: no torch, nothing of the user's)
  fork server   (has imported torch; forks, watches, ends)
    worker (makes the `Work`, runs jobs)
"""

import io
import os
import pickle
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from evonas import records
from evonas.errors import UserError
from evonas.ipc import boot, gpu_share
from evonas.ipc.environment import passed
from evonas.records import Deferred, Evaluation, Job, RungReport, Status
from evonas.runtime.printed import with_printed
from evonas.runtime.runtime import Message, WorkerExit, WorkerMessage
from evonas.runtime.sandbox.packing import Payload, hold, sweep
from evonas.runtime.sandbox.protocol import REPORT, REQUEST, RESPONSE, FrameType, WorkerFrame
from evonas.text import describe_error, one_line

FORK_SERVER = "evonas.runtime.sandbox.fork_server"
"""The module whose `main` is the fork server's program."""
CLOSE_S = 15.0
RECORDS = {
    (value.__module__, value.__name__): value
    for value in vars(records).values()
    if isinstance(value, type) and value.__module__.startswith(f"{records.__name__}.")
}
"""Module and name -> class, of those that a worker may send."""


class WorkerProcessLost(Exception):
    """The fork server is gone, or can make no worker any more. No candidate is to blame."""


class WorkerProcess:
    """A worker process and its fork server, which start at once.

    Args:
        payload: The packed factory of the worker's `Work`.
        memory_bytes: Host memory that a worker, with all that it starts, may take; None for any.
        pass_env: Variables of the environment that it gets besides those that Python and numerical libraries know.
        gpus: Its share of a GPU, 0 for none.

    Raises:
        UserError: The payload does not fit into this node's folder for temporary files.
    """

    def __init__(
        self, payload: Payload, memory_bytes: int | None = None, pass_env: Collection[str] = (), gpus: float = 0
    ) -> None:
        self._number = 0
        self._ready = False
        sweep()
        file = hold(payload)
        try:
            self._fork_server, self._channel = boot.start(
                FORK_SERVER,
                FrameType,
                file,
                memory_bytes or 0,
                payload.preload,
                descriptors=[file],
                environment={**passed(pass_env), **gpu_share.variables(gpus)},
            )
        finally:
            os.close(file)

    def ready(self, seconds: float) -> bytes:
        """Waits until the worker can take jobs.

        Args:
            seconds: How long to wait at most.

        Returns:
            The kind of its work, for `evonas.runtime.kind.unpacked`; empty when it was ready before.

        Raises:
            UserError: It cannot start, or not in time; in the words of the factory's own UserError.
            WorkerProcessLost: The fork server is gone.
        """
        if self._ready:
            return b""
        frame = self._receive(seconds)
        if frame is None:
            raise UserError(f"it did not start within {seconds:g} s")
        kind, body = frame
        if kind is FrameType.REFUSED:
            raise UserError(body.decode())
        return body

    def run(self, job: Job, seconds: float, beat: float) -> Iterator[WorkerMessage | None]:
        """Runs a job. A job whose reports are not read to the end is given up.

        Args:
            job: The job.
            seconds: The deadline, counted from when the worker accepts the job.
            beat: Longest time without an item (s).

        Yields:
            Each `RungReport`, then one `Evaluation`, `Deferred` or `WorkerExit`; None whenever `beat` seconds passed
            without one.

        Raises:
            WorkerProcessLost: The fork server is gone, or can make no worker any more.
        """
        for report in self.relay(pickle.dumps(job, protocol=5), seconds, beat):
            yield unpacked(report)

    def relay(self, job: bytes, seconds: float, beat: float) -> Iterator[bytes]:
        """Runs a pickled job as `run` does, and yields what that would as bytes, for `unpacked` somewhere else."""
        self._number += 1
        try:
            self._channel.send(FrameType.JOB, REQUEST.pack(self._number, seconds), job)
        except OSError:
            raise WorkerProcessLost(self._how_fork_server_ended()) from None
        output, ended = b"", False
        while not ended:
            frame = self._receive(beat)
            if frame is None:
                yield b""
            elif not self._is_of_this_job(frame):
                continue
            elif frame[0] is FrameType.PRINTED:
                output = frame[1][RESPONSE.size :]
            else:
                ended = not _goes_on(frame)
                yield _report(frame, output)

    def close(self) -> None:
        """Ends the worker, with all that it started, and the fork server."""
        self._channel.close()
        try:
            self._fork_server.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._fork_server.kill()
            self._fork_server.wait()
        sweep()

    def _is_of_this_job(self, frame: WorkerFrame) -> bool:
        kind, body = frame
        if kind is FrameType.REFUSED:
            raise WorkerProcessLost(f"no worker can start any more: {body.decode()}")
        return kind is not FrameType.READY and RESPONSE.unpack_from(body)[0] == self._number

    def _receive(self, seconds: float) -> WorkerFrame | None:
        """Returns the next frame; None where there was none in time."""
        try:
            frame = self._channel.receive(time.monotonic() + seconds)
        except TimeoutError:
            return None
        if frame is None:
            raise WorkerProcessLost(self._how_fork_server_ended())
        if frame[0] is FrameType.READY:
            self._ready = True
        return frame

    def _how_fork_server_ended(self) -> str:
        try:
            code = self._fork_server.wait(1.0)
        except subprocess.TimeoutExpired:
            return "its fork server hung up"
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"
        return f"the fork server of its process {how}"


class _Records(pickle.Unpickler):
    """Unpickles plain values and records of evonas.

    Anything else could bring torch or the user's code here, and a dotted name leads anywhere.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in RECORDS:
            raise pickle.UnpicklingError(f"it holds a {one_line(module)}.{one_line(name)}")
        return RECORDS[module, name]


def unpacked(report: bytes) -> WorkerMessage | None:
    """What a worker says of a job, of the bytes that `WorkerProcess.relay` yields.

    Args:
        report: The bytes. They come from a process in which candidates run: whatever they hold, nothing else is made
            of them than a message.

    Returns:
        The message; None for a sign of life.
    """
    if not report:
        return None
    kind, left, length = REPORT.unpack_from(report)
    output, body = report[REPORT.size :][:length], report[REPORT.size + length :]
    item = _item(FrameType(kind), left, body)
    return item if isinstance(item, RungReport) else with_printed(item, output)


def _report(frame: WorkerFrame, output: bytes) -> bytes:
    kind, body = frame
    _, left = RESPONSE.unpack_from(body)
    return b"".join([REPORT.pack(kind.value, left, len(output)), output, memoryview(body)[RESPONSE.size :]])


def _goes_on(frame: WorkerFrame) -> bool:
    """Whether a frame is what it says, the report of a rung, after which there is more."""
    kind, body = frame
    return kind is FrameType.RUNG_REPORT and isinstance(_item(kind, 0, body[RESPONSE.size :]), RungReport)


def _item(kind: FrameType, left: int, body: bytes) -> WorkerMessage:
    if kind is FrameType.WORKER_EXIT:
        status, message = body.decode().split("\n", 1)
        return WorkerExit(Status(status), message)
    try:
        item: Message | Deferred = _Records(io.BytesIO(body)).load()
    except Exception as error:  # whatever bytes lead to
        why = str(error) if isinstance(error, pickle.UnpicklingError) else describe_error(error)
        return WorkerExit(Status.FAILED_ERROR, f"its result cannot be sent: {why}")
    if not isinstance(item, RungReport | Evaluation | Deferred):
        return WorkerExit(Status.FAILED_ERROR, f"its result cannot be sent: it is a {type(item).__name__}")
    if isinstance(item, RungReport | Deferred) or not left:
        return item
    behind = "1 process behind, which was" if left == 1 else f"{left} processes behind, which were"
    return replace(item, message="; ".join(filter(None, [item.message, f"it left {behind} ended"])))
