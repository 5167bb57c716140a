"""A readers-writer lock with writer preference, among all processes of this user on the machine.

Readers are processes that train: they hold the lock shared, and ask at a checkpoint between two steps whether a writer
waits. A writer is a process that measures: it holds the lock exclusively, with the device to itself. Four files a
device make the lock:

- `held`: locked shared by readers, exclusively by the writer.
- `writer_intent`: locked by a writer from when it waits, so that no reader gets in before it and it does not starve.
- `readers_waiting`: locked by readers that wait, which the next writer lets in first, so that they do not starve.
- `overrun`: locked by readers that go on without `held`, because a writer seems to hang, or because they do what takes
  minutes and cannot be paused.
"""

import fcntl
import os
import re
import time

from evonas.measuring.file_lock import POLL_S, lock_by, open_lock, try_lock
from evonas.measuring.machine_folder import machine_folder
from evonas.text import one_line

EXCLUSIVE_TIMEOUT_S = 15.0
"""Longest that a writer waits for the readers: one of them may hang in the middle of a step."""
SHARED_TIMEOUT_S = 60.0
"""Longest that a reader waits for writers, and a writer for another: one of them may hang too."""
OWNER_AT = 42
"""Bytes of `writer_intent` before the owner: process and time."""


class ReadersWriterLock:
    """The four files of a device. A file lock belongs to the open file, so each `DeviceLock` opens them for itself.

    Args:
        device: The device, e.g. "cpu".
        owner: For whom it is taken; others can see it while they wait.

    Raises:
        UserError: The files cannot be made.
    """

    def __init__(self, device: str, owner: str = "") -> None:
        name = re.sub(r"[^\w.-]", "_", device)
        self._owner = one_line(owner)
        self._files: list[int] = []
        self._files += [
            open_lock(machine_folder() / f"{name}.{part}")
            for part in ("writer_intent", "held", "readers_waiting", "overrun")
        ]
        self._writer_intent, self._held, self._readers_waiting, self._overrun = self._files
        self._overruns = False  # a writer seems to hang: this reader goes on until the intent was free again

    def __del__(self) -> None:
        for file in self._files:
            os.close(file)

    def writer_waits(self) -> bool:
        """Whether a reader must make way: for a writer, or to get in again in an orderly way after an overrun."""
        if not try_lock(self._writer_intent, fcntl.LOCK_SH):
            return not self._overruns
        fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
        overran, self._overruns = self._overruns, False
        return overran

    def acquire_shared(self, since: float) -> bool:
        """Waits for writers, and goes on in spite of one that takes too long; False if it had to.

        Args:
            since: When it began to wait, for other devices too (`time.monotonic`).
        """
        until = since + SHARED_TIMEOUT_S
        if try_lock(self._writer_intent, fcntl.LOCK_SH) or self._wait_for_writers(until):
            inside = lock_by(self._held, fcntl.LOCK_SH, until)
            fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
            if inside:
                return True
        try_lock(self._overrun, fcntl.LOCK_SH)
        return False

    def acquire_exclusive(self) -> bool:
        """Waits for readers that wait, for other writers, and for the readers inside; returns whether none is left."""
        lock_by(self._readers_waiting, fcntl.LOCK_EX, time.monotonic() + EXCLUSIVE_TIMEOUT_S)
        fcntl.flock(self._readers_waiting, fcntl.LOCK_UN)
        first = self._announce_writer()
        alone = lock_by(self._held, fcntl.LOCK_EX, time.monotonic() + EXCLUSIVE_TIMEOUT_S) and first
        nobody = try_lock(self._overrun, fcntl.LOCK_EX)
        fcntl.flock(self._overrun, fcntl.LOCK_UN)
        return alone and nobody

    def overrun(self) -> None:
        """Goes on beside writers, who see it."""
        self.release()
        try_lock(self._overrun, fcntl.LOCK_SH)

    def release(self) -> None:
        """Releases whatever is held."""
        for file in (self._held, self._overrun, self._writer_intent):
            fcntl.flock(file, fcntl.LOCK_UN)

    def writer(self) -> str | None:
        """For whom a writer has, or waits for, the device now; None while there is no writer."""
        if try_lock(self._writer_intent, fcntl.LOCK_SH):
            fcntl.flock(self._writer_intent, fcntl.LOCK_UN)
            return None
        return one_line(os.pread(self._writer_intent, 4096, OWNER_AT).decode(errors="replace"))

    def _announce_writer(self) -> bool:
        """Locks `writer_intent`, however many writers come before; False where one of them takes too long."""
        seen, until = b"", time.monotonic() + SHARED_TIMEOUT_S
        while not try_lock(self._writer_intent, fcntl.LOCK_EX):
            if (holder := os.pread(self._writer_intent, 64, 0)) != seen:
                seen, until = holder, time.monotonic() + SHARED_TIMEOUT_S
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
        who = f"{os.getpid():>20} {time.monotonic_ns():>20} {self._owner}".encode()
        os.ftruncate(self._writer_intent, os.pwrite(self._writer_intent, who, 0))
        return True

    def _wait_for_writers(self, until: float) -> bool:
        """Locks `writer_intent` shared; False where that took too long, and from then on until it was free again."""
        if self._overruns:
            return False
        fcntl.flock(self._readers_waiting, fcntl.LOCK_SH)
        try:
            self._overruns = not lock_by(self._writer_intent, fcntl.LOCK_SH, until)
        finally:
            fcntl.flock(self._readers_waiting, fcntl.LOCK_UN)
        return not self._overruns
