"""How the processes of a user share the devices of a machine: those that train make way for one that measures."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from evonas.measuring.file_lock import POLL_S
from evonas.measuring.readers_writer_lock import ReadersWriterLock

LOOK_EVERY_S = 0.005
"""How often a reader looks whether a writer waits: looking costs system calls, and a step may be short."""
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
        self._locks: dict[str, ReadersWriterLock] = {}
        self._is_shared = False
        self._own: ReadersWriterLock | None = None  # of the device that it has to itself
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
                beside = device == "cpu" or self._lock("cpu").acquire_shared(time.monotonic())
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
            self._lock(device).acquire_shared(start)
        waited = time.monotonic() - start
        if waited > POLL_S:
            self.paused_s += waited
            self._turn_ends = start + waited + min(waited, READER_TURN_S)

    def _release(self) -> None:
        for device in self._devices:
            self._lock(device).release()

    def _lock(self, device: str) -> ReadersWriterLock:
        if device not in self._locks:
            self._locks[device] = ReadersWriterLock(device, self._owner)
        return self._locks[device]


def _order(device: str) -> tuple[bool, str]:
    """The processor first: who waits for it holds no card, for which a measurement may wait that holds it shared."""
    return device != "cpu", device
