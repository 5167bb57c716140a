"""What a metric of a network is made of, one number an example, as bytes that can be kept for each network.

The first byte says how: `b` for bits, where every number is 0 or 1, `f` for float32. Four bytes follow, how many
numbers there are (little-endian), then the numbers: bits eight to a byte, the first one in the highest bit, or
little-endian float32.
"""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evonas.seeding import stream

MOST_EXAMPLES = 2**16
"""Of more examples a sample is kept: 8 KiB of bits for a network, or 256 KiB of numbers."""

_HEAD = struct.Struct("<cI")
_BITS, _NUMBERS = b"b", b"f"

Numbers = NDArray[np.uint8] | NDArray[np.float32]


def kept(examples: int) -> NDArray[np.int64]:
    """Which of so many examples have a score that is kept: all of them or, above `MOST_EXAMPLES`, a sample that is the
    same for every network and every run.

    Returns:
        Their places, ascending.
    """
    if examples <= MOST_EXAMPLES:
        return np.arange(examples)
    keys = stream(0, "scores", examples).bit_generator.random_raw(examples)  # which no version of numpy gives otherwise
    return np.sort(np.argsort(keys, kind="stable")[:MOST_EXAMPLES])


def encoded(statistics: Sequence[float] | NDArray[np.generic]) -> bytes:
    """Numbers as bytes.

    Args:
        statistics: (n,) a number an example, e.g. 1 where the network is wrong.

    Raises:
        ValueError: they are not (n,) finite numbers of which float32 can be made.
    """
    with np.errstate(over="ignore"):
        values = np.asarray(statistics).astype(np.float32)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"scores are (n,) finite numbers, not {values.shape} with {values[~np.isfinite(values)][:1]}")
    bits = bool(((values == 0) | (values == 1)).all())
    data = np.packbits(values.astype(np.uint8)) if bits else values.astype("<f4")
    return _HEAD.pack(_BITS if bits else _NUMBERS, len(values)) + data.tobytes()


def decoded(data: bytes) -> Numbers:
    """The numbers that `encoded` was given: (n,) uint8 where all are 0 or 1, else float32.

    Raises:
        ValueError: `encoded` gives no such bytes.
    """
    if not isinstance(data, bytes):
        raise ValueError(f"scores are bytes, not {data!r:.40}")
    if len(data) < _HEAD.size:
        raise ValueError("scores begin with a letter and a number of four bytes")
    kind, count = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if kind == _BITS and len(body) == (count + 7) // 8:
        return np.unpackbits(np.frombuffer(body, np.uint8), count=count)
    if kind == _NUMBERS and len(body) == 4 * count:
        values = np.frombuffer(body, "<f4").astype(np.float32)
        if np.isfinite(values).all():
            return values
    raise ValueError(f"these are no scores of {count:,} examples: kind {kind!r}, {len(body):,} bytes")
