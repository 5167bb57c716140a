"""The queue of a measuring server: one measurement after another, in a process that is watched.

The process may crash or hang; every client gets a response.
"""

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue

from evonas.ipc import boot
from evonas.ipc.environment import without_secrets
from evonas.measuring.remote.measuring_process import MeasureResponse
from evonas.measuring.remote.protocol import MeasureChannel, MeasureFrame
from evonas.text import describe_error

MEASURING_PROCESS = "evonas.measuring.remote.measuring_process"
"""The module whose `main` is the process's program."""
WAIT_S = 300.0
"""Longest that the device may take to get ready: libraries and drivers are loaded, others may use it."""
END_S = 2.0
"""Longest wait for the end of a process that has closed its channel."""
GONE = {"kind": "busy", "error": "the client hung up"}


class RequestQueue:
    """The queue measures for one client after another, in the order in which they come, in a thread that lasts.

    Args:
        max_seconds: Longest that a network may take.

    Attributes:
        busy: Whether a request is in work.
    """

    def __init__(self, max_seconds: float) -> None:
        self.busy = self._closed = False
        self._max_seconds = max_seconds
        self._process = MeasuringProcess()
        self._requests: SimpleQueue[tuple[Future[MeasureResponse], bytes, float, socket.socket]] = SimpleQueue()
        threading.Thread(target=self._work, name="evonas-measure", daemon=True).start()

    def join(self, message: bytes, seconds: float, client: socket.socket) -> Future[MeasureResponse]:
        """Puts a request at the end of the queue.

        Args:
            message: A valid request, packed.
            seconds: How long the network may take.
            client: The client's connection: where it has hung up when it is its turn, the request is dropped.

        Returns:
            The response to come.
        """
        future: Future[MeasureResponse] = Future()
        self._requests.put((future, message, min(seconds, self._max_seconds), client))
        return future

    def close(self) -> None:
        """Ends what is in work and blames nobody for it: those clients get no response."""
        self._closed = True
        self._process.close()

    def _work(self) -> None:
        while True:
            future, message, seconds, client = self._requests.get()
            self.busy = True
            try:
                response = GONE if _has_hung_up(client) else self._process.measure(message, seconds)
            except Exception as error:  # no memory for the response or for another process
                self._process.close()
                response = {"kind": "died", "error": describe_error(error)}
            if self._closed:
                return
            future.set_result(response)
            self.busy = False


class MeasuringProcess:
    """A process that measures, as its server sees it.

    It is started when there is something to measure, and anew after a network that failed: what that has left behind,
    such as a CUDA error, must not be the next one's fault.

    To be used in a thread that lasts: on Linux the process ends with the thread that started it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: MeasureChannel

    def measure(self, message: bytes, seconds: float) -> MeasureResponse:
        """Measures a network.

        Args:
            message: The request, as `protocol.pack` makes it.
            seconds: How long the network may take, the wait for the device not included.
        """
        response, died = self._ask(message, seconds)
        if died:  # what was before it may be at fault: it gets a new process
            response, _ = self._ask(message, seconds)
        return response

    def close(self) -> int | None:
        """Ends the process, with all that it has started.

        Returns:
            Its exit status, negative for a signal; None where there was no process.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        self._channel.close()
        return process.wait()

    def _ask(self, message: bytes, seconds: float) -> tuple[MeasureResponse, bool]:
        """The response, and whether it is that the process has died."""
        died, working, until = False, False, time.monotonic() + WAIT_S
        try:
            process = self._process or self._start()
            with suppress(ConnectionError):  # it has ended, which is seen below
                self._channel.send(MeasureFrame.REQUEST, message, until=until)
            while (frame := self._channel.receive(until)) and frame[0] is not MeasureFrame.RESPONSE:
                working = frame[0] is MeasureFrame.WORKING
                until = time.monotonic() + (seconds if working else WAIT_S)
            died = frame is None
            response = json.loads(frame[1]) if frame else self._how_it_died(process, working)
        except TimeoutError:
            response = _silence(seconds if working else WAIT_S, working)
        if "error" in response:
            self.close()
        return response, died

    def _how_it_died(self, process: "subprocess.Popen[bytes]", working: bool) -> MeasureResponse:
        with suppress(subprocess.TimeoutExpired):  # it is about to end: its own status, not that of being killed
            process.wait(END_S)
        code = self.close() or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if working:
            return {"kind": "network", "error": f"it killed the process that measured it ({how})"}
        return {"kind": "died", "error": f"the process that measures ended before the network had its turn ({how})"}

    def _start(self) -> subprocess.Popen[bytes]:
        self._process, self._channel = boot.start(
            MEASURING_PROCESS, MeasureFrame, os.getpid(), environment=without_secrets()
        )
        return self._process


def _silence(seconds: float, working: bool) -> MeasureResponse:
    if working:
        return {"kind": "network", "error": f"it did not end within {seconds:g} s"}
    return {"kind": "died", "error": f"the device was not ready within {seconds:g} s"}


def _has_hung_up(client: socket.socket) -> bool:
    poll = select.poll()
    try:
        poll.register(client, select.POLLIN)
        return bool(poll.poll(0)) and not client.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # it is closed here too
        return True
