"""Memory that a process frees stays with it while it measures or trains, and is the system's again between candidates.

glibc gives larger pieces back to the system after each pass or step, or does not, depending on what the process
allocated before, and what it takes next costs page faults: the reference network at batch 32 took 2.5 ms in one process
and 5.9 ms, half of them in the system, in another; a step of training takes up to 1.2 times as long. Other libraries do
not know the setting.
"""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT, LARGEST = 2**30, 2**25  # bytes; the second is the most that glibc takes
SPARE = 2**28
"""Bytes that a process may keep between two candidates."""
FREE = 8
"""Place of the free bytes, `fordblks`, in what `mallinfo2` gives."""


class _Info(ctypes.Structure):
    _fields_ = (("numbers", ctypes.c_size_t * 10),)


@cache
def keep_memory() -> bool:
    """Memory that this process frees stays with it from now on, so that what it takes next costs no page faults.

    Returns:
        Whether memory is kept.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, KEPT) and mallopt(M_MMAP_THRESHOLD, LARGEST))


def give_memory_back() -> bool:
    """Nobody uses what this process has kept: where that is much, other processes may have it.

    Returns:
        Whether something was given back.
    """
    try:
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = _Info
        return library.mallinfo2().numbers[FREE] > SPARE and bool(library.malloc_trim(0))
    except (OSError, AttributeError, TypeError):  # an older glibc, or another library
        return False
