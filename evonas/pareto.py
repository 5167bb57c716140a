"""Fronts and hypervolume of standings; the sorting itself is moocore's.

Knows nothing of strategies, files or networks.
"""

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from evonas.records import Standing


def front(standings: Sequence[Standing]) -> list[Standing]:
    """The feasible standings that none dominates, in the order given."""
    feasible = [s for s in standings if s.violation == 0]
    if not feasible:
        return []
    return [s for s, rank in zip(feasible, moocore.pareto_rank(points(feasible)), strict=True) if rank == 0]


def hypervolume(standings: Sequence[Standing], reference: Sequence[float]) -> float:
    """Volume that the feasible standings dominate up to `reference` (minimised values)."""
    feasible = [s for s in standings if s.violation == 0]
    return float(moocore.hypervolume(points(feasible), ref=np.asarray(reference, float))) if feasible else 0.0


def points(standings: Sequence[Standing]) -> NDArray[np.float64]:
    """Values as an array, shape (n, objectives)."""
    return np.array([s.values for s in standings], dtype=np.float64)
