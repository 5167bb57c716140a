"""Files that are whole or not there: written under a temporary name beside their place, then linked or renamed.

What a crash leaves behind is hidden and ends with `.tmp`.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What link says on FAT, exFAT, some FUSE and shares of Windows."""


def create(path: Path, data: bytes) -> None:
    """Writes a new file: whole and durable when this returns, whatever happens to the machine afterwards.

    Args:
        path: Where. Its folder must exist.
        data: The whole content.

    Raises:
        FileExistsError: There is one, which is then as it was.
        OSError: It cannot be written, or its file system has no hard links; nothing of it is left.
    """
    with _written(path, data) as temporary:
        _link(temporary, path)
    _sync(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Writes a file over another or where none was: a reader finds the old one or the new one, never half of one.

    The folder is not synchronised: after a power cut the old one may be there again, whole.

    Args:
        path: Where. Its folder must exist.
        data: The whole content.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    with _written(path, data) as temporary:
        os.replace(temporary, path)


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """The data in a file of their own, which is removed at the end unless it was renamed."""
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"  # other hosts may write here too
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """NFS makes a link, loses its answer, asks again, and hears that there is one: ours, then."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        if not path.is_symlink() and os.path.samefile(temporary, path):
            return
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        why = f"{error.strerror}; its file system has no hard links, which a run folder needs: another --run"
        raise OSError(error.errno, why, str(path)) from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
