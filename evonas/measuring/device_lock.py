"""A device belongs to one process while it is measured, among all processes of this user on the machine.

Each device has a readers-writer lock. Training holds it shared and asks between two steps whether a measurement waits;
a measurement holds it alone. The lock is made of four files: `held` is locked by all that works or measures;
`writer_intent` by a measurement, from when it waits, so that no new work gets in before it and it does not starve;
`readers_waiting` by work that waits, which the next measurement lets in first; and `overrun` by work that goes on
beside a measurement, because that seems to hang. File locks are freed by the end of their process, however that comes.
"""

import fcntl
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evonas.errors import UserError

POLL_S = 0.01
PATIENCE_S = 15.0
"""Longest that a measurement waits for those at work: one of them may hang in the middle of a step."""
PAUSE_S = 60.0
"""Longest that work waits for measurements: one of them may hang too."""
TURN_S = 3.0
"""Work that has waited goes on for as long as it has waited, at most so long, before it makes way again."""


class DeviceLock:
    """One process's hold on devices. `paused_s` is the time that its work has waited for measurements so far.

    Args:
        devices: those that its work uses, e.g. ["cpu", "GPU-1f2e..."].
        settle: waits until the device has finished what it was given, before another process may measure.
        enabled: False works and measures without asking.

    Raises:
        UserError: the files of the locks belong to another user, or cannot be made.
    """

    def __init__(self, devices: Sequence[str], settle: Callable[[], None] = lambda: None, enabled: bool = True) -> None:
        self.paused_s = 0.0
        self._settle, self._enabled = settle, enabled
        self._devices = sorted(set(devices)) if enabled else []
        self._locks: dict[str, _Lock] = {}
        self._working = False
        self._turn_ends = 0.0
        for device in self._devices:
            self._lock(device)  # finds fault now

    @contextmanager
    def shared(self) -> Iterator[None]:
        """The block uses the devices; it calls `checkpoint` now and then."""
        self._working = True
        self._enter()
        try:
            yield
        finally:
            self._working = False
            self._leave()

    def checkpoint(self) -> None:
        """Let measurements that wait go first; to be called between two steps. It costs some microseconds where none
        waits."""
        if not self._working or time.monotonic() < self._turn_ends:
            return
        if any(self._lock(device).wanted() for device in self._devices):
            self._settle()
            self._leave()
            self._enter()

    @contextmanager
    def released(self) -> Iterator[None]:
        """The block waits for something else, so that nothing need wait for it."""
        if self._working:
            self._settle()
            self._leave()
        try:
            yield
        finally:
            if self._working:
                self._enter()

    @contextmanager
    def exclusive(self, device: str) -> Iterator[bool]:
        """No other process works on the device during the block, and own work is interrupted, on all devices.

        Args:
            device: a name as in `devices`.

        Yields:
            Whether the device could be had alone in time.
        """
        if not self._enabled:
            yield False
            return
        locks = [self._lock(name) for name in sorted({"cpu", device})]  # a GPU's passes are launched by the processor
        with self.released():
            try:
                yield False not in [lock.exclusive() for lock in locks]
            finally:
                for lock in locks:
                    lock.release()

    def _enter(self) -> None:
        start = time.monotonic()
        for device in self._devices:
            self._lock(device).share(start + PAUSE_S)
        waited = time.monotonic() - start
        if waited > POLL_S:
            self.paused_s += waited
            self._turn_ends = start + waited + min(waited, TURN_S)

    def _leave(self) -> None:
        for device in self._devices:
            self._lock(device).release()

    def _lock(self, device: str) -> "_Lock":
        if device not in self._locks:
            self._locks[device] = _Lock(device)
        return self._locks[device]


class _Lock:
    """The lock of a device is four files. A lock belongs to the open file, so each `DeviceLock` opens its own."""

    def __init__(self, device: str) -> None:
        name = re.sub(r"[^\w.-]", "_", device)
        self._files: list[int] = []
        self._files += [
            _open(folder() / f"{name}.{part}") for part in ("writer_intent", "held", "readers_waiting", "overrun")
        ]
        self._writer_intent, self._held, self._readers_waiting, self._overrun = self._files
        self._given_up = False  # a measurement hangs: work goes on beside it until it has ended

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)

    def wanted(self) -> bool:
        """Whether a measurement is going on or waits."""
        if not _take(self._writer_intent, fcntl.LOCK_SH):
            return not self._given_up
        fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
        again, self._given_up = self._given_up, False  # it has ended: in as usual
        return again

    def share(self, until: float) -> None:
        """Work beside other work; after so long even beside a measurement."""
        if _take(self._writer_intent, fcntl.LOCK_SH) or self._let_in(until):
            inside = _wait(self._held, fcntl.LOCK_SH, until)
            fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
            if inside:
                return
        _take(self._overrun, fcntl.LOCK_SH)

    def exclusive(self) -> bool:
        """Wait for work that waits, for other measurements, and for work; whether none is left."""
        _wait(self._readers_waiting, fcntl.LOCK_EX, time.monotonic() + PATIENCE_S)
        fcntl.flock(self._readers_waiting, fcntl.LOCK_UN)
        first = self._next()
        alone = _wait(self._held, fcntl.LOCK_EX, time.monotonic() + PATIENCE_S) and first
        no_overrun = _take(self._overrun, fcntl.LOCK_EX)
        fcntl.flock(self._overrun, fcntl.LOCK_UN)
        return alone and no_overrun

    def _next(self) -> bool:
        """Take the writer's lock, however many measurements come before; False where one of them takes too long."""
        seen, until = b"", time.monotonic() + PAUSE_S
        while not _take(self._writer_intent, fcntl.LOCK_EX):
            if (holder := os.pread(self._writer_intent, 64, 0)) != seen:
                seen, until = holder, time.monotonic() + PAUSE_S
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
        os.pwrite(self._writer_intent, f"{os.getpid():>20} {time.monotonic_ns():>20}".encode(), 0)
        return True

    def _let_in(self, until: float) -> bool:
        """Wait for the measurements; False where that took too long, and from then on until none was there once."""
        if self._given_up:
            return False
        fcntl.flock(self._readers_waiting, fcntl.LOCK_SH)
        try:
            self._given_up = not _wait(self._writer_intent, fcntl.LOCK_SH, until)
        finally:
            fcntl.flock(self._readers_waiting, fcntl.LOCK_UN)
        return not self._given_up

    def release(self) -> None:
        for file in (self._held, self._overrun, self._writer_intent):
            fcntl.flock(file, fcntl.LOCK_UN)


def folder() -> Path:
    """The folder in which the processes of this user on this machine meet: locks, and what is known of the devices.

    Raises:
        UserError: the folder belongs to another user, or cannot be made.
    """
    path = Path(tempfile.gettempdir()) / f"evonas-devices-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise UserError(f"{path}, where measurements meet, cannot be made: {error.strerror}; set TMPDIR") from None
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path} belongs to somebody else; set TMPDIR to a folder of your own")
    return path


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _take(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(file: int, how: int, until: float) -> bool:
    while not _take(file, how):
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_S)
    return True
