"""One measurement after another, in a process that is watched: it may crash or hang, whoever asked gets an answer."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue

from evonas.measuring.remote import protocol
from evonas.measuring.remote.measuring_process import WAITS, WORKS, MeasureResponse
from evonas.text import describe_error

BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from evonas.measuring.remote.measuring_process import main
main(*sys.argv[2:])
"""
"""`python -m` would put the working directory before everything, and knows only what is installed."""
WAIT_S = 300.0
"""Longest that the device may take to get ready: libraries and drivers are loaded, others may use it."""
END_S = 2.0
GONE = {"kind": "busy", "error": "the client hung up"}


class RequestQueue:
    """Measures for one client after another, in the order in which they come, in a thread that lasts."""

    def __init__(self, max_seconds: float) -> None:
        self.busy = self._closed = False
        self._max_seconds = max_seconds
        self._subject = MeasuringProcess()
        self._orders: SimpleQueue[tuple[Future[MeasureResponse], bytes, float, socket.socket]] = SimpleQueue()
        threading.Thread(target=self._work, name="evonas-measure", daemon=True).start()

    def join(self, message: bytes, seconds: float, client: socket.socket) -> Future[MeasureResponse]:
        """message: a valid one. It is dropped where the client has hung up when it is its turn."""
        future: Future[MeasureResponse] = Future()
        self._orders.put((future, message, min(seconds, self._max_seconds), client))
        return future

    def close(self) -> None:
        """What is in work is ended, and nobody is blamed for it: they get no answer."""
        self._closed = True
        self._subject.close()

    def _work(self) -> None:
        while True:
            future, message, seconds, client = self._orders.get()
            self.busy = True
            try:
                answer = GONE if _hung_up(client) else self._subject.measure(message, seconds)
            except Exception as error:  # no memory, no room for another process
                self._subject.close()
                answer = {"kind": "died", "error": describe_error(error)}
            if self._closed:
                return
            future.set_result(answer)
            self.busy = False


class MeasuringProcess:
    """Started when there is something to measure, and anew after a network that failed: what that has left behind, such
    as a CUDA error, must not be the next one's fault.

    To be used in a thread that lasts: on Linux the process ends with the thread that started it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def measure(self, message: bytes, seconds: float) -> MeasureResponse:
        """message: as `protocol.pack` makes it. seconds: for the network, the wait for the device not included."""
        answer, died = self._ask(message, seconds)
        if died:  # what was before it may be at fault: it gets a new process
            answer, _ = self._ask(message, seconds)
        return answer

    def close(self) -> int | None:
        """End the process, with all that it has started; its exit status, negative for a signal."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        self._channel.close()
        return process.wait()

    def _ask(self, message: bytes, seconds: float) -> tuple[MeasureResponse, bool]:
        """The answer, and whether it is that the process has died."""
        died, working, until = False, False, time.monotonic() + WAIT_S
        try:
            process = self._process or self._start()
            with suppress(ConnectionError):  # it has ended, which is seen below
                protocol.send(self._channel, message, until)
            while (said := protocol.receive(self._channel, until)) in (WAITS, WORKS):
                working = said == WORKS
                until = time.monotonic() + (seconds if working else WAIT_S)
            died = said is None
            answer = json.loads(said) if said else self._death(process, working)
        except TimeoutError:
            answer = _silence(seconds if working else WAIT_S, working)
        if "error" in answer:
            self.close()
        return answer, died

    def _death(self, process: "subprocess.Popen[bytes]", working: bool) -> MeasureResponse:
        with suppress(subprocess.TimeoutExpired):  # it is about to end: its own status, not that of being killed
            process.wait(END_S)
        code = self.close() or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if working:
            return {"kind": "network", "error": f"it killed the process that measured it ({how})"}
        return {"kind": "died", "error": f"the process that measures ended before the network had its turn ({how})"}

    def _start(self) -> subprocess.Popen[bytes]:
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", BOOT, json.dumps(sys.path), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # the terminal's Ctrl-C is for the server to act on
            )
        return self._process


def _silence(seconds: float, working: bool) -> MeasureResponse:
    if working:
        return {"kind": "network", "error": f"it did not end within {seconds:g} s"}
    return {"kind": "died", "error": f"the device was not ready within {seconds:g} s"}


def _hung_up(client: socket.socket) -> bool:
    poll = select.poll()
    try:
        poll.register(client, select.POLLIN)
        return bool(poll.poll(0)) and not client.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):  # it is closed here too
        return True
