"""Where the files of a run are: a folder of this machine or a prefix of an object store, behind one small contract.

A file appears whole and durable or not at all, and only where none of that name was (`create`): the two things that
the record stands on. Object stores give both with one conditional PUT; a file system with a temporary name, fsync
and a hard link.
"""

import errno
import fcntl
import os
import stat
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Protocol

from evonas import atomic_files
from evonas.errors import UserError
from evonas.store import lease
from evonas.store.lease import LEASE, Lease, await_silence

NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""What flock says on Lustre without `-o flock`, on NFS without a lock daemon, and on some FUSE."""
REUSED = "reused.parquet"
"""The one table that is no generation: what a run re-uses of another one."""
NAMES = "names.json"
"""What the numbers that a network takes in are called."""
TOKENIZER = "tokenizer.json"
"""What makes numbers of texts."""
VOUCHED = (NAMES, TOKENIZER)
"""Files for which run.json vouches; each is there where there is something to write into it."""
MOST_BYTES = {
    "weights": 2**37,
    "checkpoints": 2**37,
    "evaluations": 2**30,
    "populations": 2**28,
    "journal": 2**31,
    "final": 2**37,
    REUSED: 2**30,
    NAMES: 2**32,
    TOKENIZER: 2**30,
}
"""How large a file of a folder may be to be read; of the others 16 MiB."""
OTHERS_BYTES = 2**24
FOLDERS = (
    "starts",
    "journal",
    "evaluations",
    "populations",
    "manifest",
    "weights",
    "checkpoints",
    "retrained",
    "logs",
    "measured",
    "final",
)


class Log(Protocol):
    """A file that grows."""

    def append(self, data: bytes) -> None:
        """Durable when this returns; where it fails, nothing of `data` is left."""

    def close(self) -> None:
        """Nothing more is appended; what was is durable already."""


class Lock(Protocol):
    """The right to be the one writer of a folder, for as long as it is held."""

    def close(self) -> None:
        """Let another search have the folder."""


class Folder(Protocol):
    """Names are relative, `kind/file` or `file`. Every method may raise OSError."""

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError where there is none."""

    def create(self, name: str, data: bytes) -> None:
        """Raises FileExistsError where there is one, which is then as it was."""

    def log(self, name: str, first: bytes) -> Log:
        """Create a file that begins with `first` and can be appended to."""

    def names(self, kind: str = "") -> list[str]:
        """The names in a folder of FOLDERS, or at the top, sorted; whatever is there, hidden files aside."""

    def remove(self, name: str) -> None:
        """Nothing happens where there is none."""

    def lock(self, take_over: bool) -> Lock:
        """Be the one writer.

        Args:
            take_over: also where another holds the lock, which then is no longer worth anything.

        Raises:
            UserError: another search holds it.
        """

    def vacate(self) -> None:
        """Remove what `lock` laid out. For the holder of the lock, where nothing was recorded."""

    def is_locked(self) -> bool:
        """Whether a search seems to be writing now; for people, nothing decides by it."""


def digits(name: str) -> int:
    """The number that a name ends with, before its suffix; -1 where there is none."""
    stem = name.rpartition("/")[2].partition(".")[0].rpartition("-")[2]
    return int(stem) if stem.isascii() and stem.isdigit() else -1


def most_bytes(name: str) -> int:
    """How large a file of a run may be to be read."""
    return MOST_BYTES.get(name.partition("/")[0], OTHERS_BYTES)


def check_size(folder: Folder, name: str, size: int) -> None:
    """
    Raises:
        UserError: a file of so many bytes is none of a run.
    """
    if size > (most := most_bytes(name)):
        found = f"{size:,} bytes, more than the {most:,} that one of a run has"
        raise UserError(f"{folder}/{name} is damaged: it has {found}; restore it from a copy")


class LocalFolder:
    """Symbolic links inside it are refused: a run folder that came from elsewhere must not lead anywhere else."""

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is a file; a run takes a folder")
        self.root = root
        self._made: list[Path] = []  # the folder and those above it that were not there before, deepest first

    def __str__(self) -> str:
        return str(self.root)

    def __fspath__(self) -> str:
        """So that it serves where a path does: `Path(run.folder)`, `os.listdir(run.folder)`."""
        return str(self.root)

    def read(self, name: str) -> bytes:
        try:
            descriptor = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except NotADirectoryError as error:
            raise FileNotFoundError(*error.args) from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise _linked(self.root / name) from None
            raise
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{self.root / name} is no regular file; a run folder holds none other: remove it")
            check_size(self, name, status.st_size)
            return file.read()

    def create(self, name: str, data: bytes) -> None:
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)  # never the run folder itself: it was there when the search began
        atomic_files.create(path, data)

    def log(self, name: str, first: bytes) -> Log:
        self.create(name, first)
        return _LocalLog(self._path(name), len(first))

    def names(self, kind: str = "") -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._path(kind)) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def lock(self, take_over: bool) -> Lock:
        self._made = [path for path in (self.root, *self.root.parents) if not path.exists()]
        try:
            for kind in FOLDERS:
                self._path(kind).mkdir(parents=True, exist_ok=True)
        except (FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError) as error:
            raise UserError(
                f"{self.root} cannot be a run folder: {error.filename}: {error.strerror}; give another folder"
            ) from None
        held = self._hold(self.root / ".lock", take_over)
        for kind in ("", *FOLDERS):
            for left in self._path(kind).glob(".*.tmp"):
                left.unlink(missing_ok=True)
        return held

    def _hold(self, path: Path, take_over: bool) -> Lock:
        """A lock of the file system; where it has none a lease, which who can lock respects, too."""
        if not take_over:
            await_silence(self)
        try:
            file = self._locked(path)
            if file is None and take_over:
                path.unlink()  # who holds the old file's lock holds nothing
                file = self._locked(path)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return Lease(self)
            raise UserError(f"{path} cannot be locked: {error.strerror}; give a --run on another file system") from None
        if file is None:
            raise UserError(
                f"another search or training is writing to {self.root}; wait for it, or give a search another --run; "
                f"if it hangs or its machine is lost: --take-over"
            )
        return file

    def _locked(self, path: Path) -> IO[bytes] | None:
        """The file with its lock; None where another process holds it. Raises OSError where it cannot be locked."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            file = open(os.open(path, flags, 0o644), "ab")  # noqa: SIM115
        except OSError as error:
            raise UserError(f"{path} cannot be locked: {error.strerror}; remove it") from None
        with ExitStack() as ends:
            ends.callback(file.close)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                ends.pop_all()
                return file
        return None

    def vacate(self) -> None:
        for name in (".lock", LEASE):
            (self.root / name).unlink(missing_ok=True)
        for path in (*map(self._path, FOLDERS), *self._made):
            with suppress(OSError):  # somebody else has put something there
                path.rmdir()

    def is_locked(self) -> bool:
        try:
            with open(os.open(self.root / ".lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (FileNotFoundError, NotADirectoryError):
            return False  # who holds a lease has made this file, too
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        return self._is_leased()

    def put(self, name: str, data: bytes) -> None:
        """Over what was there; only for what is no part of the record."""
        atomic_files.replace(self._path(name), data)

    def _is_leased(self) -> bool:
        try:
            return time.time() - (self.root / LEASE).stat().st_mtime < lease.SILENT_S
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _path(self, name: str) -> Path:
        path = self.root / name
        folder = path if name in FOLDERS else path.parent
        if name and folder != self.root and folder.is_symlink():
            raise _linked(folder)
        return path


class _LocalLog:
    def __init__(self, path: Path, size: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._size = size

    def append(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _linked(path: Path) -> UserError:
    return UserError(f"{path} is a symbolic link; a run folder holds none: put the file itself in its place")
