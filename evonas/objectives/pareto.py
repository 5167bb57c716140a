"""Fronts and hypervolume of fitnesses; the sorting itself is moocore's.

Knows nothing of strategies, files or networks.
"""

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from evonas.objectives.objectives import dominates
from evonas.records import Fitness

MARGIN = 0.1
"""How far a reference point lies behind the worst values, as a share of their range."""


def front(fitnesses: Sequence[Fitness]) -> list[Fitness]:
    """The feasible fitnesses that none dominates, in the order given."""
    feasible = [s for s in fitnesses if s.violation == 0]
    if not feasible:
        return []
    return [s for s, rank in zip(feasible, moocore.pareto_rank(points(feasible)), strict=True) if rank == 0]


def extended(known: Sequence[Fitness], more: Sequence[Fitness]) -> Sequence[Fitness]:
    """Returns the front of a front and others; most often none of them is on it, which is found out without sorting."""
    best = [one for one in more if not any(dominates(member, one) for member in known)]
    return front([*known, *best]) if best else known


def hypervolume(fitnesses: Sequence[Fitness], reference: Sequence[float]) -> float:
    """Volume that the feasible fitnesses dominate up to `reference` (minimised values)."""
    feasible = [s for s in fitnesses if s.violation == 0]
    return float(moocore.hypervolume(points(feasible), ref=np.asarray(reference, float))) if feasible else 0.0


def reference_point(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A reference point for hypervolumes from the values of a first generation, shape (n, objectives), minimised.

    The worst of each objective, and 10 % of their range behind; 10 % of the value where all have the same.
    """
    worst, span = values.max(0), np.ptp(values, axis=0)
    far: NDArray[np.float64] = worst + MARGIN * np.where(span > 0, span, np.where(worst != 0, np.abs(worst), 1.0))
    return far


def points(fitnesses: Sequence[Fitness]) -> NDArray[np.float64]:
    """Values as an array, shape (n, objectives)."""
    return np.array([s.values for s in fitnesses], dtype=np.float64)
