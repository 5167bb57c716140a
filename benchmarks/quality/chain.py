"""A table of the project's own: chains of one to four blocks, with a head or without, all 56,160 of them by a formula.

The numbers of the formula are drawn once, by a fixed seed. Blocks gain less the later they come, neighbours help or
hinder each other, and a network's noise is its own, so that genes do not add up to its error; a chain of blocks that
gain nothing stays near chance. Latency and parameters are sums over the blocks, as on a device that runs them in turn.
"""

from functools import cache

import numpy as np

from evonas.records import Genome
from evonas.spaces.genes import Choice, Integer, Optional, Repeat
from evonas.spaces.space import Space

OPS = ("conv3x3", "conv5x5", "maxpool", "skip")
WIDTHS = (16, 32)
DEPTH = 4
SEED = 201
BEST, CHANCE, NOISE = 0.06, 0.9, 0.004


class Chain(Space):
    """A stem, blocks in a row, perhaps a head."""

    stem = Choice(8, 16, 32)
    blocks = Repeat(Integer(1, DEPTH), op=Choice(*OPS), width=Choice(*WIDTHS))
    head = Optional(Choice(64, 128, 256))

    def build(self, arch: object, task: object) -> None:  # type: ignore[override]
        """Nothing is built: what a network reaches is in the table."""
        raise NotImplementedError("a chain is only looked up")


@cache
def chain_values() -> dict[Genome, tuple[float, ...]]:
    """Canonical genome -> error (0 to 1), latency in ms, parameters."""
    genomes = list(Chain().genomes())
    genes = np.array(genomes)
    rng = np.random.default_rng(SEED)
    capacity, latency, params = _stem_and_head(genes, rng)
    gains, pairs = _tables(rng)
    scale = 1 + genes[:, 0] / 2
    for place in range(DEPTH):
        there = genes[:, 1] >= place
        op, width = genes[:, 2 + 2 * place], genes[:, 3 + 2 * place]
        capacity += there * 0.75**place * gains[op, width]
        if place:
            capacity += there * pairs[genes[:, 2 * place], op]
        latency += there * scale * np.array([[2.0, 3.6], [3.9, 7.4], [0.7, 0.8], [0.1, 0.1]])[op, width]
        params += there * scale * np.array([[2.3e3, 9.2e3], [6.4e3, 2.56e4], [0, 0], [0, 0]])[op, width]
    error = BEST + (CHANCE - BEST) * np.exp(-np.maximum(capacity, 0)) + NOISE * rng.standard_normal(len(genes))
    rows = np.stack([np.clip(error, 0, CHANCE), latency, params], 1).tolist()
    return {genome: tuple(row) for genome, row in zip(genomes, rows, strict=True)}


def _stem_and_head(genes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What they add to capacity, latency and parameters; each of shape (networks,)."""
    stem, present, head = genes[:, 0], genes[:, -2], genes[:, -1]
    capacity = np.sort(rng.uniform(0.1, 0.5, 3))[stem] + present * np.sort(rng.uniform(0.1, 0.6, 3))[head]
    latency = np.array([0.5, 0.9, 1.7])[stem] + present * np.array([0.6, 1.1, 2.1])[head]
    params = np.array([220.0, 440.0, 880.0])[stem] + present * np.array([4e3, 8e3, 1.6e4])[head]
    return capacity, latency, params


def _tables(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Gain of (operation, width), and of (operation, the one behind it)."""
    gains = np.array([[0.9, 1.1], [1.1, 1.35], [0.35, 0.4], [0.0, 0.0]]) + rng.uniform(-0.1, 0.1, (4, 2))
    return gains, rng.uniform(-0.25, 0.25, (4, 4))
