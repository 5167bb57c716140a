"""One line of `evonas cluster` at a time makes or ends what a folder knows of; who has ended holds nothing."""

import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from evonas.errors import UserError
from evonas.store.folder import NO_LOCKS, LocalFolder
from evonas.store.lease import Lease, await_silence

LOCK = ".lock"
_TRIES, _PAUSE_S = 5, 0.05
"""`holder` has the lock for a moment, too."""


@contextmanager
def held(folder: Path, action: str) -> Iterator[Callable[[], None]]:
    """Holds a folder during the block, which need not be there before; one that stays empty is removed.

    Args:
        folder: of a cluster.
        action: what the line does, for who comes meanwhile.

    Yields:
        What lets the folder go before the block ends.

    Raises:
        UserError: Another line holds it, or it cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with ExitStack() as ends:
        ends.callback(_remove_empty, made)
        try:
            _hold(folder, f"evonas cluster {action}, process {os.getpid()} on {platform.node()},", ends)
        except OSError as error:
            raise UserError(f"{folder} cannot be written: {error.strerror}; --folder, another one") from None
        yield ends.close


def holder(folder: Path) -> str:
    """Which line holds a folder now, for people; empty where none does, or the file system has no locks."""
    with suppress(OSError), open(os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().decode(errors="replace")
    return ""


def _hold(folder: Path, who: str, ends: ExitStack) -> None:
    """Raises UserError where another line holds it, and OSError where it cannot be written."""
    for _ in range(_TRIES):
        with ExitStack() as tried, suppress(FileNotFoundError):  # who let it go has removed it meanwhile
            file = _open(folder)
            tried.callback(os.close, file)
            is_locked = _lock(file)
            if is_locked is not False and os.path.samestat(os.fstat(file), (folder / LOCK).stat()):
                tried.callback(_lease(folder, is_locked is None))
                os.ftruncate(file, os.pwrite(file, who.encode(), 0))
                tried.callback((folder / LOCK).unlink, missing_ok=True)
                ends.push(tried.pop_all())
                return
        time.sleep(_PAUSE_S)
    raise _taken(folder)


def _open(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)


def _lock(file: int) -> bool | None:
    """Whether the file is this process's now; None where the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return None
    return True


def _lease(folder: Path, needed: bool) -> Callable[[], None]:
    """What holds a folder where there are no locks, which who can lock respects, too; what ends it."""
    try:
        await_silence(of := LocalFolder(folder))
    except UserError:
        raise _taken(folder) from None
    return Lease(of).close if needed else lambda: None


def _taken(folder: Path) -> UserError:
    who = ""
    with suppress(OSError):
        who = (folder / LOCK).read_text(errors="replace")
    return UserError(
        f"another {who or 'evonas cluster'} holds {folder}: wait until its search has begun or it has ended, or end "
        f"it; then the same line again"
    )


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
