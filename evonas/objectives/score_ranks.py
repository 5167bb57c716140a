"""Several zero-cost scores as one number: what AZ-NAS orders networks by (Lee & Ham, CVPR 2024, equation 11).

The sum of the logarithms of a network's ranks among networks, in `AGGREGATED`. It is of a network among others, so no
network has it alone: the others are those that were visible at a birth, and a replay has the same ones.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evonas.objectives.metrics import AGGREGATED

Matrix = NDArray[np.float64]
DIGITS = 9
"""Behind the point: the same products of ranks are the same on every processor."""
Columns = tuple[tuple[float, ...], ...]
"""Of each score the values that are known, ascending."""


def aggregate(scores: Matrix) -> Matrix:
    """Of networks among themselves.

    Args:
        scores: more is better, shape (networks, scores).

    Returns:
        Shape (networks,), at most 0, more is better: the sum over the scores of log(rank / networks), where the worst
        has rank 1 and those that are equal the mean of their ranks.
    """
    ascending = np.sort(scores, axis=0)
    return _summed([_ranks(known, own) for known, own in zip(ascending.T, scores.T, strict=True)], len(scores))


def placed(columns: Columns, scores: Sequence[float]) -> float:
    """What `aggregate` gives a newcomer among those known and itself.

    Args:
        columns: of those known.
        scores: of the newcomer.
    """
    ranks = []
    for known, own in zip(columns, scores, strict=True):
        values = np.array(known)
        ranks.append(_ranks(np.insert(values, np.searchsorted(values, own), own), np.array([own])))
    return float(_summed(ranks, len(columns[0]) + 1)[0])


def scores_of(metrics: Mapping[str, float]) -> list[float]:
    """Those that are ranked.

    Raises:
        ValueError: one is missing.
    """
    return [known(metrics, name) for name in AGGREGATED]


def known(metrics: Mapping[str, float], name: str) -> float:
    """A metric of the untrained network.

    Raises:
        ValueError: it is missing.
    """
    if name not in metrics:
        raise ValueError(f"training.before goes by {name}, and nothing has given it")
    return metrics[name]


def _ranks(ascending: Matrix, own: Matrix) -> Matrix:
    """Of values among those of which each is one; equal ones have the mean of their ranks."""
    low, high = (np.searchsorted(ascending, own, side) for side in ("left", "right"))
    ranks: Matrix = (low + 1 + high) / 2
    return ranks


def _summed(ranks: Sequence[Matrix], count: int) -> Matrix:
    summed: Matrix = np.round(sum(np.log(one / count) for one in ranks), DIGITS) + 0.0  # and no -0
    return summed
