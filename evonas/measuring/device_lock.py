"""The lock of a device, among all processes of this user on the machine: a readers-writer lock with writer preference.

Readers are processes that train: they hold the lock shared, and ask at a checkpoint between two steps whether a writer
waits. A writer is a process that measures: it holds the lock exclusively, with the device to itself. Four files a
device make the lock:

- `held`: locked shared by readers, exclusively by the writer.
- `writer_intent`: locked by a writer from when it waits, so that no reader gets in before it and it does not starve.
- `readers_waiting`: locked by readers that wait, which the next writer lets in first, so that they do not starve.
- `overrun`: locked by readers that go on without `held`, because a writer seems to hang, or because they do what takes
  minutes and cannot be paused.

The files are locked with `flock`: a process that ends, however that happens, frees its locks.
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
from evonas.text import one_line

POLL_S = 0.004
"""Between two looks of who waits for a lock."""
LOOK_EVERY_S = 0.005
"""How often a reader looks whether a writer waits: looking costs system calls, and a step may be short."""
EXCLUSIVE_TIMEOUT_S = 15.0
"""Longest that a writer waits for the readers: one of them may hang in the middle of a step."""
SHARED_TIMEOUT_S = 60.0
"""Longest that a reader waits for writers, and a writer for another: one of them may hang too."""
OWNER_AT = 42
"""Bytes of `writer_intent` before the owner: process and time."""
READER_TURN_S = 3.0
"""A reader that has waited goes on for as long as it has waited, at most so long, before it makes way again."""


class DeviceLock:
    """One process's lock on devices.

    Args:
        devices: The devices that its training uses, e.g. ["cpu", "GPU-1f2e..."].
        synchronize: Waits until the device has finished what it was given, before another may have it.
        enabled: False trains and measures without any lock.
        owner: For whom it is taken, a run folder say; others can see it while they wait.

    Attributes:
        paused_s: How long training has waited for measurements so far.
    """

    def __init__(
        self,
        devices: Sequence[str],
        synchronize: Callable[[], None] = lambda: None,
        enabled: bool = True,
        owner: str = "",
    ) -> None:
        self.paused_s = 0.0
        self._owner = owner
        self._synchronize, self._enabled = synchronize, enabled
        self._devices = sorted(set(devices), key=_order) if enabled else []
        self._locks: dict[str, _ReadersWriterLock] = {}
        self._is_shared = False
        self._own: _ReadersWriterLock | None = None  # of the device that it has to itself
        self._turn_ends = self._next_look = 0.0
        for device in self._devices:
            self._lock(device)  # finds fault now

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Holds the devices shared during the block, which calls `checkpoint` between its steps."""
        self._is_shared = True
        self._acquire()
        try:
            yield
        finally:
            self._is_shared = False
            self._release()

    def checkpoint(self) -> None:
        """Makes way for a writer that waits, and returns once it is done. Costs microseconds where none waits."""
        now = time.monotonic()
        if not self._is_shared or now < max(self._turn_ends, self._next_look):
            return
        self._next_look = now + LOOK_EVERY_S
        if any(self._lock(device).writer_waits() for device in self._devices):
            self._synchronize()
            self._release()
            self._acquire()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Releases the devices during the block, which waits for something else."""
        if self._is_shared:
            self._synchronize()
            self._release()
        try:
            yield
        finally:
            if self._is_shared:
                self._acquire()

    @contextmanager
    def unpaused(self) -> Iterator[None]:
        """Goes on with what cannot be paused, for longer than others should wait; who measures meanwhile is told."""
        if not self._is_shared:
            yield
            return
        self._synchronize()
        locks = [self._lock(device) for device in self._devices]
        for lock in locks:
            lock.overrun()
        try:
            yield
        finally:
            self._release()
            self._acquire()

    @contextmanager
    def exclusive(self, device: str) -> Iterator[bool]:
        """Holds a device exclusively during the block; this process's own shared locks are released meanwhile.

        Args:
            device: The device. With the processor nobody trains on the machine. With a GPU nobody else is on that card,
                and of the processor it takes a core (`cpu_affinity.pinned`): it is held shared, so that trainers on
                other cards and measurements there go on, and measurements of the processor wait.

        Yields:
            Whether nobody else uses the device; False where that could not be had in time.
        """
        if not self._enabled:
            yield False
            return
        with self.released():
            try:
                beside = device == "cpu" or self._lock("cpu").acquire_shared(time.monotonic() + SHARED_TIMEOUT_S)
                yield self._lock(device).acquire_exclusive() and beside
            finally:
                for lock in map(self._lock, {"cpu", device}):
                    if lock is not self._own:
                        lock.release()

    @contextmanager
    def alone(self, device: str) -> Iterator[None]:
        """Holds one device exclusively during the block, in which this process may train and measure; others that
        train on it wait, a minute at most. The other devices are shared as ever.

        Args:
            device: One of those that its training uses. This process must not hold it.
        """
        before = self._devices
        if device not in before:
            yield
            return
        self._own, self._devices = self._lock(device), [other for other in before if other != device]
        self._own.acquire_exclusive()
        try:
            yield
        finally:
            self._own.release()
            self._own, self._devices = None, before

    def measuring(self) -> str | None:
        """For whom one of the devices is measured now, as its owner has it; None where nobody measures."""
        found = (self._lock(device).writer() for device in self._devices)
        return next((owner for owner in found if owner is not None), None)

    def _acquire(self) -> None:
        start = time.monotonic()
        for device in self._devices:
            self._lock(device).acquire_shared(start + SHARED_TIMEOUT_S)
        waited = time.monotonic() - start
        if waited > POLL_S:
            self.paused_s += waited
            self._turn_ends = start + waited + min(waited, READER_TURN_S)

    def _release(self) -> None:
        for device in self._devices:
            self._lock(device).release()

    def _lock(self, device: str) -> "_ReadersWriterLock":
        if device not in self._locks:
            self._locks[device] = _ReadersWriterLock(device, self._owner)
        return self._locks[device]


class _ReadersWriterLock:
    """The four files of a device. A file lock belongs to the open file, so each `DeviceLock` opens them for itself."""

    def __init__(self, device: str, owner: str = "") -> None:
        name = re.sub(r"[^\w.-]", "_", device)
        self._owner = one_line(owner)
        self._files: list[int] = []
        self._files += [
            _open(folder() / f"{name}.{part}") for part in ("writer_intent", "held", "readers_waiting", "overrun")
        ]
        self._writer_intent, self._held, self._readers_waiting, self._overrun = self._files
        self._overruns = False  # a writer seems to hang: this reader goes on until the intent was free again

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)

    def writer_waits(self) -> bool:
        """Whether a reader must make way: for a writer, or to get in again in an orderly way after an overrun."""
        if not _try_lock(self._writer_intent, fcntl.LOCK_SH):
            return not self._overruns
        fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
        overran, self._overruns = self._overruns, False
        return overran

    def acquire_shared(self, until: float) -> bool:
        """Waits for writers, and goes on in spite of one after so long (`time.monotonic`); False if it had to."""
        if _try_lock(self._writer_intent, fcntl.LOCK_SH) or self._wait_for_writers(until):
            inside = _lock_by(self._held, fcntl.LOCK_SH, until)
            fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
            if inside:
                return True
        _try_lock(self._overrun, fcntl.LOCK_SH)
        return False

    def acquire_exclusive(self) -> bool:
        """Waits for readers that wait, for other writers, and for the readers inside; returns whether none is left."""
        _lock_by(self._readers_waiting, fcntl.LOCK_EX, time.monotonic() + EXCLUSIVE_TIMEOUT_S)
        fcntl.flock(self._readers_waiting, fcntl.LOCK_UN)
        first = self._announce_writer()
        alone = _lock_by(self._held, fcntl.LOCK_EX, time.monotonic() + EXCLUSIVE_TIMEOUT_S) and first
        nobody = _try_lock(self._overrun, fcntl.LOCK_EX)
        fcntl.flock(self._overrun, fcntl.LOCK_UN)
        return alone and nobody

    def overrun(self) -> None:
        """Goes on beside writers, who see it."""
        self.release()
        _try_lock(self._overrun, fcntl.LOCK_SH)

    def release(self) -> None:
        """Releases whatever is held."""
        for file in (self._held, self._overrun, self._writer_intent):
            fcntl.flock(file, fcntl.LOCK_UN)

    def _announce_writer(self) -> bool:
        """Locks `writer_intent`, however many writers come before; False where one of them takes too long."""
        seen, until = b"", time.monotonic() + SHARED_TIMEOUT_S
        while not _try_lock(self._writer_intent, fcntl.LOCK_EX):
            if (holder := os.pread(self._writer_intent, 64, 0)) != seen:
                seen, until = holder, time.monotonic() + SHARED_TIMEOUT_S
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
        who = f"{os.getpid():>20} {time.monotonic_ns():>20} {self._owner}".encode()
        os.ftruncate(self._writer_intent, os.pwrite(self._writer_intent, who, 0))
        return True

    def writer(self) -> str | None:
        """For whom a writer has, or waits for, the device now; None while there is no writer."""
        if _try_lock(self._writer_intent, fcntl.LOCK_SH):
            fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
            return None
        return one_line(os.pread(self._writer_intent, 4096, OWNER_AT).decode(errors="replace"))

    def _wait_for_writers(self, until: float) -> bool:
        """Locks `writer_intent` shared; False where that took too long, and from then on until it was free again."""
        if self._overruns:
            return False
        fcntl.flock(self._readers_waiting, fcntl.LOCK_SH)
        try:
            self._overruns = not _lock_by(self._writer_intent, fcntl.LOCK_SH, until)
        finally:
            fcntl.flock(self._readers_waiting, fcntl.LOCK_UN)
        return not self._overruns


def folder() -> Path:
    """Returns the folder in which the processes of this user on this machine meet: locks, and what is known of devices.

    Raises:
        UserError: It belongs to somebody else, others may write to it, or it cannot be made.
    """
    path = Path(tempfile.gettempdir()) / f"evonas-devices-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise UserError(f"{path}, where measurements meet, cannot be made: {error.strerror}; set TMPDIR") from None
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path} belongs to somebody else; set TMPDIR to a folder of your own")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(f"others may write to {path}, where measurements meet; chmod 700 it, or remove it")
    return path


def claim_cores(cores: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Takes cores that nobody else measures on, as far as there are such.

    Args:
        cores: The numbers of those that may be taken, the best first.
        count: How many.

    Returns:
        The cores, and the files that are to be closed when they are not needed any more.
    """
    claimed: dict[int, int] = {}
    for core in cores:
        if len(claimed) == count:
            break
        file = _open(folder() / f"core-{core}")
        if _try_lock(file, fcntl.LOCK_EX):
            claimed[core] = file
        else:
            os.close(file)
    others = [core for core in cores if core not in claimed]
    return [*claimed, *others[: count - len(claimed)]], list(claimed.values())


def _order(device: str) -> tuple[bool, str]:
    """The processor first: who waits for it holds no card, for which a measurement may wait that holds it shared."""
    return device != "cpu", device


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _try_lock(file: int, how: int) -> bool:
    """Takes a file lock if that is possible now."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise UserError(
            f"{tempfile.gettempdir()}, where measurements meet, has no locks (flock: {error.strerror}): "
            f"set TMPDIR=FOLDER to one of this machine"
        ) from None
    return True


def _lock_by(file: int, how: int, until: float) -> bool:
    """Waits for a file lock; False where it could not be had in time."""
    while not _try_lock(file, how):
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_S)
    return True
