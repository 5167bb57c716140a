"""Frames between the processes of a sandbox: one byte that says what it is, a length, and bytes that nobody reads on
the way.

Reading never waits for the rest of a frame: who sends it may be stopped or killed in the middle of it.
"""

import contextlib
import os
import select
import socket
import struct
from collections import deque
from enum import Enum

HEADER = struct.Struct("!cQ")
REQUEST = struct.Struct("!Qd")
"""Before a job, from parent process to fork server: its number, and its deadline in seconds."""
RESPONSE = struct.Struct("!QI")
"""Before what the fork server says of a job: its number, and how many processes it left behind."""
CHUNK = 2**20
CHUNKS = 16
"""Read at one go, so that a process that sends without end cannot keep its listener from the clock."""


class FrameType(Enum):
    JOB = b"j"
    READY = b"r"
    ACCEPTED = b"t"
    """A job has come into its worker: what happens from now on happens under it."""
    RUNG_REPORT = b"p"
    EVALUATION = b"e"
    """The last word on a job: an `Evaluation`, or a `Deferred`."""
    FINAL_AND_EXIT = b"s"
    """A last word after which its process must not work on."""
    WORKER_EXIT = b"d"
    REFUSED = b"u"
    """The process could not start, in words for the user."""


FRAME_TYPES = {kind.value for kind in FrameType}
Frame = tuple[FrameType, bytes]


class Channel:
    """One end of a pair of sockets.

    ended: the other end is closed, and all that it sent has been read.
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.ended = False
        self._owner = os.getpid()
        self._in = bytearray()
        self._out: deque[memoryview] = deque()

    @property
    def pending(self) -> bool:
        """Whether something posted waits until the other side reads."""
        return bool(self._out)

    def send(self, kind: FrameType, *parts: bytes) -> None:
        """Returns when all is sent. OSError where nobody listens any more.

        A forked copy of this process that comes here is ended: it would speak in the name of the original.
        """
        if os.getpid() != self._owner:
            os._exit(1)
        for part in (_header(kind, parts), *parts):
            self.end.sendall(part)

    def post(self, kind: FrameType, *parts: bytes) -> None:
        """Never waits; what cannot be sent at once goes out with `flush`."""
        self._out += map(memoryview, (_header(kind, parts), *parts))
        self.flush()

    def flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._out:
                try:
                    sent = self.end.send(self._out[0], socket.MSG_DONTWAIT)
                except ConnectionError:  # who reads here is told by `ended`
                    self._out.clear()
                    return
                rest = self._out.popleft()[sent:]
                if rest:
                    self._out.appendleft(rest)

    def read(self) -> list[Frame]:
        """The frames that are whole by now."""
        for _ in range(CHUNKS):
            try:
                chunk = self.end.recv(CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionError:
                chunk = b""
            if not chunk:
                self.ended = True
                break
            self._in += chunk
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def wait(self, seconds: float | None) -> None:
        """Until there is something to read, or so long."""
        poll = select.poll()
        poll.register(self.end, select.POLLIN)
        poll.poll(None if seconds is None else max(0.0, seconds) * 1000)

    def close(self) -> None:
        self.end.close()

    def _next(self) -> Frame | None:
        if len(self._in) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(self._in)
        if kind not in FRAME_TYPES:  # the process has written what it likes to a descriptor that is not its own
            self._in.clear()
            self.ended = True
            return None
        end = HEADER.size + length
        if len(self._in) < end:
            return None
        body = bytes(memoryview(self._in)[HEADER.size : end])
        del self._in[:end]
        return FrameType(kind), body


def _header(kind: FrameType, parts: tuple[bytes, ...]) -> bytes:
    return HEADER.pack(kind.value, sum(map(len, parts)))
