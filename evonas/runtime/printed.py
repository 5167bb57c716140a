"""What candidates print, kept on its way: of this process's streams, or of a process of their own through a pipe."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from evonas.excerpt import Excerpt
from evonas.records import Deferred, Evaluation
from evonas.runtime.runtime import WorkerExit

CHUNK = 2**16
CHUNKS = 16
"""Chunks that one look takes at most: who prints without end must not keep the reader from its clock."""
STREAMS = (1, 2)
"""The descriptors of the standard output and the standard error."""
C = ctypes.CDLL(None)
"""The C library of this process."""
T = TypeVar("T", Evaluation, Evaluation | Deferred, Evaluation | Deferred | WorkerExit)


class Pipe:
    """Both standard streams of a process below this one, read here: what it printed outlives it.

    Attributes:
        end: The descriptor to read from, which can be polled.
        theirs: The descriptor for the other process to write to, which it inherits by a fork.
        ended: Whether nobody can print into it any more.
    """

    def __init__(self) -> None:
        self.end, self.theirs = os.pipe()
        os.set_blocking(self.end, False)
        self.ended = False
        self._excerpt = Excerpt()

    def read(self) -> None:
        """Takes what is there, and never waits."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(CHUNKS):
                if not (data := os.read(self.end, CHUNK)):
                    self.ended = True
                    return
                self._excerpt.add(data)

    def begin(self) -> None:
        """Forgets what was printed before."""
        self.read()
        self._excerpt = Excerpt()

    def printed(self) -> bytes:
        """Returns what was printed since `begin`, the middle of much aside."""
        self.read()
        return self._excerpt.data()

    def close(self) -> None:
        """Closes the end to read from."""
        os.close(self.end)


def connect(descriptor: int) -> None:
    """Makes a pipe's end both standard streams of this process, also where a candidate has closed them."""
    with contextlib.suppress(OSError):  # it has closed that, too
        for stream in STREAMS:
            os.dup2(descriptor, stream)


def flush() -> None:
    """Sends on what Python and C have printed and still hold."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # they may be closed, or the user's
            stream.flush()
    C.fflush(None)


def with_printed(item: T, printed: bytes) -> T:
    """The last item of a job, whose log begins with what the job printed."""
    if isinstance(item, Deferred) or not printed:
        return item
    parts = [printed.decode(errors="replace").rstrip("\n"), item.log]
    return replace(item, log="\n\n".join(filter(None, parts)))


@contextmanager
def also_kept(excerpt: Excerpt) -> Iterator[None]:
    """Keeps what Python prints in this process for a while; it still comes out where it did."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and _Both(stream, excerpt) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Both:
    """A stream whose text is also kept. All else is the stream's own: a terminal is still one, for debuggers."""

    def __init__(self, stream: Any, excerpt: Excerpt) -> None:
        self._stream, self._excerpt = stream, excerpt

    def write(self, text: str) -> int:
        if isinstance(text, str):
            self._excerpt.add(text.encode(errors="backslashreplace"))
        return int(self._stream.write(text) or 0)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
