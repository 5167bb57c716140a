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
CHUNK = 2**16
"""Bytes that are read at once: room for so many is made each time, and most frames are short."""
CHUNKS = 256
"""Chunks that one call of `read` takes at most, so that a sender without end cannot keep a reader from its clock."""
SHORT = 2**16
"""Frames up to so many bytes go out at once, in one piece."""

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
        self._readable = select.poll()
        self._readable.register(end, select.POLLIN)
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
        pieces = _pieces(kind, parts)
        if math.isinf(until):
            for piece in pieces:
                self.end.sendall(piece)
            return
        try:
            for piece in pieces:
                self.end.settimeout(max(1e-3, until - time.monotonic()))
                self.end.sendall(piece)
        finally:
            self.end.settimeout(None)  # with a timeout, a read would wait in spite of MSG_DONTWAIT

    def post(self, kind: K, *parts: bytes) -> None:
        """Queues a frame and never waits; what cannot be sent at once goes out with `flush`."""
        self._out += map(memoryview, _pieces(kind, parts))
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
        self._fill(CHUNKS)
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
            if self.ended:
                return None
            rest = until - time.monotonic()
            self._wait(max(0.0, rest))
            self._fill(CHUNKS if rest <= 0 else 1)  # one is most often all, and to see that there is no more costs
            if rest <= 0 and not self._frames and not self.ended:
                raise TimeoutError
        return self._frames.popleft()

    def close(self) -> None:
        """Closes this end, which the other side sees as `ended`."""
        self.end.close()

    def _wait(self, seconds: float) -> None:
        """Returns when there is something to read, or after so long."""
        self._readable.poll(None if math.isinf(seconds) else seconds * 1000)

    def _fill(self, chunks: int) -> None:
        """Reads what is there, in so many chunks at most, and cuts it into frames."""
        for _ in range(chunks):
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


def _pieces(kind: Enum, parts: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A frame as it is handed to the system: whole where it is short."""
    length = sum(map(len, parts))
    pieces = (HEADER.pack(kind.value, length), *parts)
    return pieces if length > SHORT else (b"".join(pieces),)
