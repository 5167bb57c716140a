"""Frames on a pair of sockets: one byte that says the kind, a length, and a body that the channel does not look into.

The kinds are an enumeration of the protocol that uses the channel; each value is a single byte. Nothing is unpickled
here: a body is bytes, and what it holds is the protocol's matter.
"""

import contextlib
import math
import os
import select
import socket
import struct
import time
from collections import deque
from enum import Enum
from typing import Generic, TypeVar

HEADER = struct.Struct("!cQ")
CHUNK = 2**20
CHUNKS = 16
"""Chunks that one call of `read` takes at most, so that a sender without end cannot keep a reader from its clock."""

K = TypeVar("K", bound=Enum)
Frame = tuple[K, bytes]


class Channel(Generic[K]):
    """One end of a pair of sockets.

    Args:
        end: The socket, which the channel owns from now on.
        kinds: The kinds of frames that the protocol has.

    Attributes:
        end: The socket, to be polled together with others.
        ended: Whether the other end is closed and all that it sent has been read.
    """

    def __init__(self, end: socket.socket, kinds: type[K]) -> None:
        self.end = end
        self.ended = False
        self._kinds = {kind.value: kind for kind in kinds}
        self._owner = os.getpid()
        self._in = bytearray()
        self._out: deque[memoryview] = deque()
        self._frames: deque[Frame[K]] = deque()

    @property
    def pending(self) -> bool:
        """Whether something posted waits until the other side reads."""
        return bool(self._out)

    def send(self, kind: K, *parts: bytes, until: float = math.inf) -> None:
        """Sends a frame and returns when all of it is sent.

        A forked copy of this process that comes here is ended: it would speak in the name of the original.

        Args:
            kind: The kind of the frame.
            parts: The body, in pieces.
            until: When to give up, as of `time.monotonic` (s).

        Raises:
            OSError: The other end is closed.
            TimeoutError: The other end has not read all of it in time. The channel is of no use then.
        """
        if os.getpid() != self._owner:
            os._exit(1)
        try:
            for part in (_header(kind, parts), *parts):
                self.end.settimeout(None if math.isinf(until) else max(1e-3, until - time.monotonic()))
                self.end.sendall(part)
        finally:
            self.end.settimeout(None)  # with a timeout, a read would wait in spite of MSG_DONTWAIT

    def post(self, kind: K, *parts: bytes) -> None:
        """Queues a frame and never waits; what cannot be sent at once goes out with `flush`."""
        self._out += map(memoryview, (_header(kind, parts), *parts))
        self.flush()

    def flush(self) -> None:
        """Sends what was posted, as far as the other side takes it now."""
        with contextlib.suppress(BlockingIOError):
            while self._out:
                try:
                    sent = self.end.send(self._out[0], socket.MSG_DONTWAIT)
                except ConnectionError:  # a reader learns it from `ended`
                    self._out.clear()
                    return
                rest = self._out.popleft()[sent:]
                if rest:
                    self._out.appendleft(rest)

    def read(self) -> list[Frame[K]]:
        """Returns the frames that are whole by now, and never waits: a sender may be stopped in the middle of one."""
        self._fill()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def receive(self, until: float = math.inf) -> Frame[K] | None:
        """Waits for the next frame.

        Args:
            until: When to give up, as of `time.monotonic` (s).

        Returns:
            The frame; None where the other end is closed and no whole frame is left.

        Raises:
            TimeoutError: There was no whole frame in time.
        """
        while not self._frames:
            self._fill()
            if self._frames:
                break
            if self.ended:
                return None
            rest = until - time.monotonic()
            if rest <= 0:
                raise TimeoutError
            self._wait(rest)
        return self._frames.popleft()

    def close(self) -> None:
        """Closes this end, which the other side sees as `ended`."""
        self.end.close()

    def _wait(self, seconds: float) -> None:
        """Returns when there is something to read, or after so long."""
        poll = select.poll()
        poll.register(self.end, select.POLLIN)
        poll.poll(None if math.isinf(seconds) else seconds * 1000)

    def _fill(self) -> None:
        """Reads what is there and cuts it into frames."""
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
        while (frame := self._cut()) is not None:
            self._frames.append(frame)

    def _cut(self) -> Frame[K] | None:
        """Takes the first frame from what was read; None where it is not whole yet."""
        if len(self._in) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(self._in)
        if kind not in self._kinds:  # the process has written what it likes to a descriptor that is not its own
            self._in.clear()
            self.ended = True
            return None
        end = HEADER.size + length
        if len(self._in) < end:
            return None
        body = bytes(memoryview(self._in)[HEADER.size : end])
        del self._in[:end]
        return self._kinds[kind], body


def _header(kind: Enum, parts: tuple[bytes, ...]) -> bytes:
    return HEADER.pack(kind.value, sum(map(len, parts)))
