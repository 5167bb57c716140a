"""A worker process, forked: the ends of what it talks, prints and says by, and where in the code it is."""

import contextlib
import os
import signal
import socket
import tempfile
import time
import traceback
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import IO, NoReturn

from evonas.ipc import pinned
from evonas.ipc.framing import Channel
from evonas.runtime.printed import Pipe
from evonas.runtime.sandbox.protocol import FrameType, WorkerChannel
from evonas.runtime.sandbox.worker import STACK_SIGNAL, serve

STACK_S = 0.3  # for a worker to write down where it is
START_S = 300.0


@dataclass(slots=True)
class ForkedWorker:
    """A worker process as its parent, the fork server, follows it.

    output: what candidates print in it. own: ids of processes that its factory has started. status: as of `os.waitpid`,
    once it has ended.
    """

    pid: int
    channel: WorkerChannel
    stack: IO[bytes]
    output: Pipe
    start_by: float
    ready: bool = False
    own: Collection[int] = ()
    status: int | None = None

    def ask_stack(self) -> str:
        """Returns where in the code the worker is, if it can still say so."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, STACK_SIGNAL)
        until, size = time.monotonic() + STACK_S, 0
        while time.monotonic() < until:
            time.sleep(STACK_S / 20)
            before, size = size, os.fstat(self.stack.fileno()).st_size
            if size and size == before:
                break
        return self.where()

    def where(self) -> str:
        """Returns where in the code it said that it is; empty where it has not."""
        return os.pread(self.stack.fileno(), 2**16, 0).decode(errors="replace")

    def close(self) -> None:
        """Lets go of everything but the process."""
        self.channel.close()
        self.stack.close()
        self.output.close()


def fork(file: int, inherited: Iterable[socket.socket]) -> ForkedWorker:
    """Forks a worker.

    Args:
        file: The descriptor of the held payload.
        inherited: Sockets of the fork server, which the worker has no use for.
    """
    ours, theirs = socket.socketpair()
    stack = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    output, fork_server = Pipe(), os.getpid()
    pinned.tell(0)  # what the worker before had pinned is gone with it
    pid = os.fork()
    if not pid:
        signal.set_wakeup_fd(-1)
        for end in (ours, *inherited):
            end.close()
        output.close()
        _be_worker(Channel(theirs, FrameType), file, stack.fileno(), output.theirs, fork_server)
    theirs.close()
    os.close(output.theirs)
    return ForkedWorker(pid, Channel(ours, FrameType), stack, output, time.monotonic() + START_S)


def _be_worker(channel: WorkerChannel, file: int, stack: int, output: int, fork_server: int) -> NoReturn:
    code = 1
    try:
        serve(channel, file, stack, output, fork_server)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
