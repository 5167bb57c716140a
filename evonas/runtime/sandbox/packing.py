"""The payload: a factory, with the data in it, on its way to the workers: packed once, one copy for all of a node.

The arrays leave the pickle as plain buffers. On a node they lie in a file that every worker maps into its memory,
read-only. A process that uses the file holds a shared lock on it, and a file that nobody holds is anybody's to remove.
A lock belongs to the processes that have the file open or mapped, so it ends with the last of them, however that ends.
"""

import contextlib
import errno
import fcntl
import functools
import hashlib
import importlib
import io
import mmap
import os
import pickle
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from evonas.errors import UserError
from evonas.runtime.runtime import Factory
from evonas.text import describe_error

Array = npt.NDArray[np.uint8]
PREFIX = f"evonas-payload-{os.getuid()}-"
ALIGNED = 64  # bytes; torch and numpy compute fastest on arrays that start so
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Payload:
    """A packed factory.

    Attributes:
        data: Its pickle.
        buffers: The arrays that the pickle refers to, in order; read-only bytes that an object store shares without a
            copy.
        preload: A module that the factory is made of, "" where it must not be imported outside a worker.
        digest: The name of the content of data and buffers (hex SHA-256).
    """

    data: bytes
    buffers: tuple[Array, ...]
    preload: str
    digest: str

    @property
    def size(self) -> int:
        """Bytes of data and buffers."""
        return len(self.data) + sum(map(len, self.buffers))


def pack(factory: Callable[..., Any], modules: Sequence[ModuleType] = ()) -> Payload:
    """Packs a factory.

    Args:
        factory: The factory, with all that it holds.
        modules: The user's modules, which travel by value, so that a node need not have them.

    Raises:
        UserError: Something that the factory holds cannot be sent.
    """
    found: list[pickle.PickleBuffer] = []
    with _by_value(modules):
        try:
            content = io.BytesIO()
            _Pickler(content, protocol=5, buffer_callback=found.append).dump(factory)
        except Exception as error:  # whatever the user's objects raise when they are pickled
            why = describe_error(error)
            raise UserError(f"runtime: the space or the task cannot be sent to a worker: {why}") from None
    buffers = tuple(_read_only(buffer) for buffer in found)
    home = _module_of(factory)
    imported = home not in {"__main__", *(module.__name__ for module in modules)}
    data = content.getvalue()
    return Payload(data, buffers, home if imported else "", _digest([data, *buffers]))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Sends modules of a class of their own, such as `torch.backends.cudnn`, by name, as it does others."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType) and type(obj) is not ModuleType and sys.modules.get(obj.__name__) is obj:
            return importlib.import_module, (obj.__name__,)
        return super().reducer_override(obj)


def unpacked(payload: Payload) -> Any:
    """Returns what was packed. Its arrays are those of the payload, which an object store shares without a copy."""
    return pickle.loads(payload.data, buffers=payload.buffers)


def hold(payload: Payload) -> int:
    """Returns a descriptor of this node's file of the payload, written if need be, under a shared lock.

    Raises:
        UserError: The disk is too full for it or has no locks, or something of another user's is in its place.
    """
    path = Path(tempfile.gettempdir()) / f"{PREFIX}{payload.digest}"
    try:
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                if _claimed(file, path, payload):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            text = f"{path.parent} has no locks (flock: {error.strerror}): set TMPDIR=FOLDER to one of this machine"
            raise UserError(f"runtime: {text}") from None
        raise UserError(
            f"runtime: {payload.size / 1e6:,.0f} MB of data do not get into {path}: {error.strerror}"
        ) from None


def sweep() -> None:
    """Removes the files of this user that nobody holds, such as those of machines that lost their power."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(file, path):
                    path.unlink()
            finally:
                os.close(file)


def load(file: int) -> Factory:
    """Returns the factory of a held file. Its arrays are read-only and live in the file."""
    memory = memoryview(mmap.mmap(file, 0, mmap.MAP_SHARED, mmap.PROT_READ))
    count = int.from_bytes(memory[:8], "little")
    sizes = np.frombuffer(memory, np.uint64, count, 8).tolist()
    _, data, *buffers = (memory[start:end] for start, end in _offsets([8 + 8 * count, *sizes]))
    factory: Factory = pickle.loads(data, buffers=buffers)
    return factory


def _claimed(file: int, path: Path, payload: Payload) -> bool:
    """Whether the file at the path is ours, whole, and locked; written here if nobody else does it."""
    fcntl.flock(file, fcntl.LOCK_SH)  # waits while another process writes
    status = os.fstat(file)
    if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
        raise PermissionError(0, "it belongs to somebody else")
    parts = _parts(payload)
    offsets = list(_offsets([len(part) for part in parts]))
    whole = offsets[-1][1] + 1
    if status.st_size != whole:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gives up the shared one
        except BlockingIOError:
            time.sleep(POLL_S)
            return False
        if os.fstat(file).st_size != whole:
            _write(file, zip(offsets, parts, strict=True), whole)
        fcntl.flock(file, fcntl.LOCK_SH)
    return _same(file, path)  # else it was removed before it was locked


def _write(file: int, parts: Iterable[tuple[tuple[int, int], Any]], whole: int) -> None:
    """The last byte is written last: a file as long as it should be is whole."""
    try:
        os.ftruncate(file, 0)
        for (start, _), part in parts:
            view, at = memoryview(part), start
            while view:
                written = os.pwrite(file, view, at)
                view, at = view[written:], at + written
        os.pwrite(file, b".", whole - 1)
    except BaseException:
        os.ftruncate(file, 0)
        raise


def _parts(payload: Payload) -> list[Any]:
    """What is in the file: the sizes of what follows, the pickle, the arrays."""
    sizes = [len(payload.data), *map(len, payload.buffers)]
    index = len(sizes).to_bytes(8, "little") + np.array(sizes, np.uint64).tobytes()
    return [index, payload.data, *payload.buffers]


def _offsets(sizes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Where each part starts and ends."""
    start = 0
    for size in sizes:
        yield start, start + size
        start += -(-size // ALIGNED) * ALIGNED


def _same(file: int, path: Path) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except FileNotFoundError:
        return False


def _read_only(buffer: pickle.PickleBuffer) -> Array:
    array = np.frombuffer(buffer.raw(), np.uint8)
    array.flags.writeable = False
    return array


def _digest(parts: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _module_of(factory: Callable[..., Any]) -> str:
    while isinstance(factory, functools.partial):
        factory = factory.func
    return getattr(factory, "__module__", None) or "__main__"


@contextlib.contextmanager
def _by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    new = [module for module in modules if module.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in new:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in new:
            cloudpickle.unregister_pickle_by_value(module)
