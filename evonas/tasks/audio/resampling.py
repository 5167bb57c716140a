"""Recordings of other rates at that of a task: by a polyphase filter that leaves nothing above half of either rate."""

import math
from collections.abc import Mapping

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import listed
from evonas.tasks.task import Array

TAPS = 10
"""Zero crossings of scipy's filter to either side, in samples of the lower rate."""


def note_of(others: Mapping[int, int], of: int, wanted: int) -> list[str]:
    """A note of recordings that are resampled; none where there are none.

    Args:
        others: rate -> recordings of it.
        of: all recordings.
        wanted: the rate that they are held with.
    """
    if not others:
        return []
    rates = listed(f"{n:,} of {rate:,}" for rate, n in sorted(others.items()))
    number = sum(others.values())
    return [f"{number:,} of {of:,} recordings are resampled to {wanted:,} samples a second: {rates}"]


def resampled(samples: Array, rate: int, wanted: int, length: int) -> Array:
    """The first samples of a recording at another rate.

    Args:
        samples: (n,) int16.
        rate: their samples a second.
        wanted: those of the result.
        length: so many samples of the result are needed; it has fewer where the recording is shorter.

    Raises:
        UserError: scipy is not installed.
    """
    if rate == wanted:
        return samples
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise UserError("recordings of several rates need scipy: pip install scipy") from None
    common = math.gcd(rate, wanted)
    beyond = TAPS * max(1, rate // wanted + 1)  # what the filter sees behind the last sample that is kept
    needed = samples[: math.ceil(length * rate / wanted) + beyond]
    found = resample_poly(needed.astype(np.float64), wanted // common, rate // common)[:length]
    kept: Array = np.clip(np.rint(found), -(2**15), 2**15 - 1).astype(np.int16)
    return kept
