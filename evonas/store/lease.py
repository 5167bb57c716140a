"""The right to be the one writer of a folder where there are no locks: a file that its holder writes again and again.

No clock is compared: a holder is alive if its lease changes while somebody looks.
"""

import json
import platform
import threading
import time
import uuid
from typing import Protocol

from evonas.errors import UserError

LEASE = "lease.json"
BEAT_S = 5.0
SILENT_S = 4 * BEAT_S
"""A holder that has not beaten for so long is taken for gone; if it is not, it is fenced."""


class Leasable(Protocol):
    """What of a folder a lease needs. Every method may raise OSError."""

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError where there is none."""

    def put(self, name: str, data: bytes) -> None:
        """Whole, over what was there."""

    def remove(self, name: str) -> None:
        """Nothing happens where there is none."""


class Lease:
    """Says again and again that its holder is alive, from the start."""

    def __init__(self, folder: Leasable) -> None:
        self._folder = folder
        self._closed = threading.Event()
        self._token = uuid.uuid4().hex
        self._beat(0)
        self._thread = threading.Thread(target=self._go_on, name="evonas-lease", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let another search have the folder."""
        if not self._closed.is_set():
            self._closed.set()
            self._thread.join(BEAT_S)
            if holder(self._folder) == self._token:
                self._folder.remove(LEASE)

    def _go_on(self) -> None:
        count = 0
        while not self._closed.wait(BEAT_S):
            count += 1
            try:
                if holder(self._folder) != self._token:  # another search has taken over
                    return
                self._beat(count)
            except (OSError, ValueError):
                continue  # the writer itself will notice

    def _beat(self, count: int) -> None:
        said = {"host": platform.node(), "token": self._token, "beat": count}
        self._folder.put(LEASE, json.dumps(said).encode())


def await_silence(folder: Leasable) -> None:
    """Come back at once where there is no lease, else when its holder has not renewed it for SILENT_S.

    Raises:
        UserError: it was renewed.
    """
    before, end = _lease(folder), time.monotonic() + SILENT_S
    while before is not None and time.monotonic() < end:
        time.sleep(BEAT_S / 5)
        now = _lease(folder)
        if now is None:
            return
        if now != before:
            host = json.loads(now).get("host")
            raise UserError(f"another search ({host}) is writing to {folder}; wait for it or give another --run")


def holder(folder: Leasable) -> str:
    """The token of whoever has the lease; empty where nobody has."""
    lease = _lease(folder)
    return str(json.loads(lease).get("token")) if lease else ""


def _lease(folder: Leasable) -> bytes | None:
    try:
        return folder.read(LEASE)
    except FileNotFoundError:
        return None
