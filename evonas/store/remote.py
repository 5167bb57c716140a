"""A run on an object store, through fsspec: s3:// (s3fs), gs:// (gcsfs) and whatever else has conditional PUTs.

One PUT a file, which appears whole or not at all; create-if-absent by the store itself (If-None-Match on S3,
ifGenerationMatch on Google Cloud Storage); no rename. What grows is a row of numbered objects, one PUT an append.
"""

import errno
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import fsspec

from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.store import lease
from evonas.store.folder import Lock, Log, check_size, most_bytes
from evonas.store.lease import LEASE, Lease, await_silence

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
AGAIN_S = 1.0
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
            raise UserError(f"{url}: {scheme}:// needs {how_to_install(EXTRAS[scheme])} ({error})") from None
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
            try:
                self._create(name, data)
            except OSError as error:
                if not _is_conflict(error):
                    raise
                time.sleep(AGAIN_S)
                self._create(name, data)
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
        if not take_over:
            await_silence(self)
        held = Lease(self)
        try:
            self._check_creating()
        except BaseException:
            held.close()
            raise
        return held

    def vacate(self) -> None:
        """The lease is all there is, and goes with the lock."""

    def is_locked(self) -> bool:
        try:
            age = time.time() - self._calling(self._files.modified, f"{self._root}/{LEASE}").timestamp()
        except FileNotFoundError:
            return False
        return bool(age < lease.SILENT_S)

    def put(self, name: str, data: bytes) -> None:
        """Over what was there; only for what is no part of the record."""
        self._calling(self._files.pipe_file, f"{self._root}/{name}", data)

    def _create(self, name: str, data: bytes) -> None:
        try:
            self._calling(self._files.pipe_file, f"{self._root}/{name}", data, mode="create")
        except OSError as error:
            if _status(error) == 412:  # s3fs knows it by a word that not every store sends
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from error
            raise

    def _check_creating(self) -> None:
        """
        Raises:
            UserError: the store writes over what is there though it was told not to, here the lease.
        """
        try:
            self._create(LEASE, self.read(LEASE))
        except FileExistsError:
            return
        stores = "AWS S3, Google Cloud Storage, or a newer version of this store"
        raise UserError(
            f"{self}: its store ignores If-None-Match, so that two searches could mix; give --run on {stores}"
        )

    def _size(self, path: str) -> int:
        return int(self._calling(self._files.size, path))

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


def _is_conflict(error: OSError) -> bool:
    """Whether S3 says that another request for the name is under way, and to ask again."""
    return error.errno == errno.EBUSY or _status(error) == 409


def _status(error: OSError) -> int:
    """What HTTP said, where s3fs passes it on; else 0."""
    answer = getattr(error.__cause__, "response", None) or {}
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
