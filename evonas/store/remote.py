"""A run on an object store, through fsspec: s3:// (s3fs), gs:// (gcsfs) and whatever else has conditional PUTs.

One PUT a file, which appears whole or not at all; create-if-absent by the store itself (If-None-Match on S3,
ifGenerationMatch on Google Cloud Storage); no rename. What grows is a row of numbered objects, one PUT an append.
"""

import json
import platform
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import fsspec

from evonas.errors import UserError
from evonas.store.folder import Lock, Log, check_size, most_bytes

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
LEASE = "lease.json"
BEAT_S = 5.0
SILENT_S = 4 * BEAT_S  # a holder that has not beaten for so long is taken for gone; if it is not, it is fenced
T = TypeVar("T")


class ObjectFolder:
    """A prefix of a bucket.

    Credentials and endpoints come from the environment, as the library of the scheme reads them
    (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, ...).
    """

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0]
        if scheme not in EXTRAS:
            raise UserError(f"{url}: known are s3:// and gs://, whose stores create a file only where there is none")
        try:
            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise UserError(f"{url}: {scheme}:// needs pip install 'evonas[{EXTRAS[scheme]}]' ({error})") from None
        self.url = url.rstrip("/")
        self._root = self._files._strip_protocol(self.url)
        if "/" not in self._root:
            raise UserError(f"{url}: give a bucket and a name in it, e.g. {scheme}://bucket/runs/first")

    def __str__(self) -> str:
        return self.url

    def read(self, name: str) -> bytes:
        """No more than may be kept is asked for, in one request. Stores answer that there is no such part of an empty
        file."""
        path, most = f"{self._root}/{name}", most_bytes(name)
        try:
            data: bytes = self._calling(self._files.cat_file, path, start=0, end=most + 1)
        except FileNotFoundError:
            raise
        except OSError:
            if self._size(path):
                raise
            return b""
        if len(data) > most:
            check_size(self, name, self._size(path))
        return data

    def create(self, name: str, data: bytes) -> None:
        try:
            self._calling(self._files.pipe_file, f"{self._root}/{name}", data, mode="create")
        except FileExistsError:
            if self.read(name) != data:  # it is what a first try wrote whose answer was lost
                raise

    def log(self, name: str, first: bytes) -> Log:
        self.create(name, first)
        return _Parts(self, name)

    def names(self, kind: str = "") -> list[str]:
        try:
            found = self._calling(self._files.ls, f"{self._root}/{kind}".rstrip("/"), detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def remove(self, name: str) -> None:
        try:
            self._calling(self._files.rm_file, f"{self._root}/{name}")
        except FileNotFoundError:
            return

    def lock(self, take_over: bool) -> Lock:
        """No clock is compared: a holder is alive if its lease changes while we look."""
        before = self._lease()
        if before and not take_over:
            end = time.monotonic() + SILENT_S
            while time.monotonic() < end:
                time.sleep(BEAT_S / 5)
                now = self._lease()
                if now is None:
                    break
                if now != before:
                    host = json.loads(now).get("host")
                    raise UserError(f"another search ({host}) is writing to {self}; wait for it or give another --run")
        return _Lease(self)

    def vacate(self) -> None:
        """The lease is all there is, and goes with the lock."""

    def is_locked(self) -> bool:
        try:
            age = time.time() - self._calling(self._files.modified, f"{self._root}/{LEASE}").timestamp()
        except FileNotFoundError:
            return False
        return bool(age < SILENT_S)

    def beat(self, token: str, count: int) -> None:
        holder = {"host": platform.node(), "token": token, "beat": count}
        self._calling(self._files.pipe_file, f"{self._root}/{LEASE}", json.dumps(holder).encode())

    def holder(self) -> str:
        """The token of whoever has the lease; empty where nobody has."""
        lease = self._lease()
        return str(json.loads(lease).get("token")) if lease else ""

    def _size(self, path: str) -> int:
        return int(self._calling(self._files.size, path))

    def _lease(self) -> bytes | None:
        try:
            return self.read(LEASE)
        except FileNotFoundError:
            return None

    def _calling(self, method: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """What goes wrong with a store's library is an OSError, whatever type it has there."""
        try:
            return method(*arguments, **options)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{self}: {type(error).__name__}: {error}") from error


class _Parts:
    """journal/0001-000002.jsonl goes on in journal/0001-000002.000001.jsonl, .000002.jsonl, ..."""

    def __init__(self, folder: ObjectFolder, name: str) -> None:
        self._folder = folder
        self._stem = name.removesuffix(".jsonl")
        self._count = 0

    def append(self, data: bytes) -> None:
        self._folder.create(f"{self._stem}.{self._count + 1:06d}.jsonl", data)
        self._count += 1

    def close(self) -> None: ...


class _Lease:
    """Says again and again that its holder is alive."""

    def __init__(self, folder: ObjectFolder) -> None:
        self._folder = folder
        self._closed = threading.Event()
        self._token = uuid.uuid4().hex
        folder.beat(self._token, 0)
        self._thread = threading.Thread(target=self._beat, name="evonas-lease", daemon=True)
        self._thread.start()

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._thread.join(BEAT_S)
            if self._folder.holder() == self._token:
                self._folder.remove(LEASE)

    def _beat(self) -> None:
        count = 0
        while not self._closed.wait(BEAT_S):
            count += 1
            try:
                if self._folder.holder() != self._token:  # another search has taken over
                    return
                self._folder.beat(self._token, count)
            except (OSError, ValueError):
                continue  # the writer itself will notice
