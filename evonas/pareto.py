"""Ranks, fronts and hypervolume of standings; the sorting itself is moocore's.

Knows nothing of strategies, files or networks.
"""

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from evonas.records import Standing


def ranks(standings: Sequence[Standing]) -> NDArray[np.intp]:
    """Constrained non-dominated rank of each standing, shape (n,), 0 is the first front.

    The feasible come first; each distinct violation is a front of its own after them (Deb et al. 2002).
    """
    result = np.zeros(len(standings), dtype=np.intp)
    violation = np.array([s.violation for s in standings])
    feasible = np.flatnonzero(violation == 0)
    next_rank = 0
    if feasible.size:
        result[feasible] = moocore.pareto_rank(points([standings[int(i)] for i in feasible]))
        next_rank = int(result[feasible].max()) + 1
    infeasible = np.flatnonzero(violation > 0)
    if infeasible.size:
        result[infeasible] = next_rank + np.unique(violation[infeasible], return_inverse=True)[1]
    return result


def front(standings: Sequence[Standing]) -> list[Standing]:
    """The feasible standings that none dominates, in the order given."""
    feasible = [s for s in standings if s.violation == 0]
    if not feasible:
        return []
    return [s for s, rank in zip(feasible, moocore.pareto_rank(points(feasible)), strict=True) if rank == 0]


def bar(standings: Sequence[Standing], keep: float) -> tuple[Standing, ...]:
    """The standings a newcomer must not be dominated by to be among the share `keep`.

    The smallest number k of fronts that holds at least keep x n of the n standings is kept; a newcomer ranks behind
    front k exactly when a member of front k dominates it, so that one front is all a worker needs. Empty while the
    share is less than one candidate.
    """
    if len(standings) * keep < 1:
        return ()
    rank = ranks(standings)
    held = np.cumsum(np.bincount(rank))
    last = int(np.searchsorted(held, keep * len(standings) - 1e-9))
    return tuple(s for s, r in zip(standings, rank, strict=True) if r == last)


def hypervolume(standings: Sequence[Standing], reference: Sequence[float]) -> float:
    """Volume that the feasible standings dominate up to `reference` (minimised values)."""
    feasible = [s for s in standings if s.violation == 0]
    return float(moocore.hypervolume(points(feasible), ref=np.asarray(reference, float))) if feasible else 0.0


def points(standings: Sequence[Standing]) -> NDArray[np.float64]:
    """Values as an array, shape (n, objectives)."""
    return np.array([s.values for s in standings], dtype=np.float64)
