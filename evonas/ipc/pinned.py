"""Host memory that a process has pinned for a GPU, which it tells to whom watches over its memory.

Its pages are the driver's, and in none of the figures that the system has of the process. They are told in memory that
a watcher shares with the processes it forks, so that one that hangs or dies needs nobody's patience.
"""

from mmap import mmap
from struct import Struct

_BYTES = Struct("q")


class _Shared:
    page: mmap | None = None


def watch() -> None:
    """From now on what processes that this one forks tell is known here."""
    _Shared.page = mmap(-1, _BYTES.size)


def tell(size: int) -> None:
    """Says how much this process holds pinned; nobody hears of it where nobody watches.

    Args:
        size: All of it, in bytes.
    """
    if _Shared.page:
        _BYTES.pack_into(_Shared.page, 0, size)


def told() -> int:
    """Returns the bytes that were told last; 0 where none were."""
    return int(_BYTES.unpack_from(_Shared.page)[0]) if _Shared.page else 0
