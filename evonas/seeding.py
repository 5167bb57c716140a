"""Random streams keyed by what they are for: (run seed, purpose, index).

A stream is never shared and never advanced by arrival, so what a candidate draws depends on its index alone.
"""

import zlib

import numpy as np


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A generator of its own for one purpose and index (Philox, Salmon et al. 2011)."""
    return np.random.Generator(np.random.Philox(_sequence(seed, purpose, index)))


def seed_for(seed: int, purpose: str, index: int = 0) -> int:
    """A 63-bit seed for libraries that keep their own generators (torch)."""
    return int(_sequence(seed, purpose, index).generate_state(1, np.uint64)[0] >> 1)


def _sequence(seed: int, purpose: str, index: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), index])
