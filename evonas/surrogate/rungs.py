"""What networks that stopped at an early rung would have had in the end, by those that have both.

The end is a monotone function of what is there at the rung (isotonic regression by pooling adjacent violators, Ayer et
al. 1955), with a noise of its own: a network that is better there is expected to be no worse in the end, and those that
trained on say how much that is worth.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evonas.surrogate.scales import scale_of

Vector = NDArray[np.float64]
PAIRS = 8
"""Networks with both that a map is made of at least; until then a value at a rung stands for that of the end."""
NOISE = 0.01
"""Variance of the noise of a fully trained network as a share of that of all, before anything is known."""


def ends(reached: Sequence[Mapping[int, float]]) -> tuple[Vector, Vector]:
    """The value that each network has in the end, or would have had.

    Args:
        reached: of each network, rung -> minimised value there, of one rung at least. The last that any has reached is
            the end.

    Returns:
        The values, and how many times the noise of a fully trained network each of them has; shape (networks,).
    """
    last = max(map(max, reached))
    at = np.array([max(own) for own in reached])
    values = np.array([own[max(own)] for own in reached])
    both: dict[int, tuple[Vector, Vector]] = {}
    for rung in sorted(set(at.tolist()) - {last}):
        pairs = np.array([(own[rung], own[last]) for own in reached if rung in own and last in own])
        if len(pairs) >= PAIRS:
            early, end = pairs.T
            values[at == rung] = np.round(monotone(early, end, values[at == rung]), 12)
            both[rung] = monotone(early, end, early), end
    return values, _noises(at, values, both)


def _noises(at: NDArray[np.int64], values: Vector, both: Mapping[int, tuple[Vector, Vector]]) -> Vector:
    """By how far the map of a rung is off in the scale of the model.

    Args:
        at: the rung of each network.
        values: of each network.
        both: rung -> the ends that its map gives and those that there are.
    """
    scale, noises = scale_of(values, trained=True), np.ones(len(values))
    spread = float(np.var(scale.scaled(values))) or 1.0
    for rung, (expected, true) in both.items():
        away = float(np.mean((scale.scaled(expected) - scale.scaled(true)) ** 2))
        noises[at == rung] = np.round(1 + away / (NOISE * spread), 6)
    return noises


def monotone(x: Vector, y: Vector, asked: Vector) -> Vector:
    """The isotonic fit of y on x, in straight lines between its points.

    Below the least x it stays as it is there; beyond the largest it rises as x does.

    Args:
        x, y: points in any order, shape (n,) each.
        asked: where the fit is asked for, shape (m,).

    Returns:
        Shape (m,).
    """
    order = np.lexsort((y, x))
    blocks: list[tuple[float, int]] = []
    for value in y[order].tolist():
        mean, count = value, 1
        while blocks and blocks[-1][0] >= mean:
            before, many = blocks.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        blocks.append((mean, count))
    fitted = np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
    found: Vector = np.interp(asked, x[order], fitted) + np.maximum(asked - x.max(), 0.0)
    return found
