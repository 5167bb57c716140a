"""Examples that overlap, as windows of a series do: neighbours are drawn together.

What holds a network up in one window does so in the next, so that a thousand windows say as little as the few that do
not overlap, and intervals by single examples are too narrow. In a circular block bootstrap (Politis and Romano, 1992)
blocks of neighbours are drawn instead.
"""

import numpy as np
from numpy.typing import NDArray

FEWEST = 5
"""Blocks that examples are cut into, at least: of fewer, draws are much alike, and intervals narrow."""


def block_of(overlap: int, examples: int) -> int:
    """How many neighbours are drawn together.

    Args:
        overlap: so many neighbours share something; 1: none do.
        examples: how many there are.

    Returns:
        As many as overlap, but no more than a `FEWEST`th of all; at least 1.
    """
    return max(1, min(overlap, examples // FEWEST))


def drawn(rng: np.random.Generator, size: int, block: int) -> NDArray[np.int64]:
    """(size,) places of examples in one draw, with replacement: single ones, or blocks of neighbours."""
    if block <= 1:
        return rng.integers(size, size=size)
    starts = rng.integers(size, size=-(-size // block))
    found: NDArray[np.int64] = ((starts[:, None] + np.arange(block)) % size).reshape(-1)[:size]
    return found
