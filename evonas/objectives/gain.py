"""How much of the hypervolume points would add to a front, each on its own. Needs numpy alone, so that workers can."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
REFERENCE = 1.1
"""Where hypervolume ends, the front being from 0 to 1 in each objective."""


def gains(front: Matrix, points: Matrix, reference: Matrix) -> Matrix:
    """The hypervolume that each point dominates and the front does not.

    By slices along the last objective (Knowles 2002), down to two objectives, where the front is a staircase.

    Args:
        front: minimised, shape (k, objectives); members may dominate each other.
        points: minimised, shape (n, objectives).
        reference: what volume ends at, shape (objectives,).

    Returns:
        Shape (n,); 0 of a point that a member is no worse than in all.
    """
    front = front[(front < reference).all(1)]
    if len(reference) == 1:
        best = min(front[:, 0].min(initial=np.inf), reference[0])
        alone: Matrix = np.maximum(best - points[:, 0], 0.0)
        return alone
    if len(reference) == 2:
        return _areas(front, points, reference)
    edges = np.append(np.unique(front[:, -1]), reference[-1])
    depth = points[:, -1:]
    low = np.concatenate([np.full(1, -np.inf), edges[:-1]])
    heights = np.maximum(np.minimum(edges, reference[-1]) - np.maximum(low, depth), 0.0)  # (n, slices)
    total = np.zeros(len(points))
    for slice_, top in enumerate(low):
        there = heights[:, slice_] > 0
        if there.any():
            own = gains(front[front[:, -1] <= top, :-1], points[there, :-1], reference[:-1])
            total[there] += heights[there, slice_] * own
    return total


def worths(front: Matrix, points: Matrix, reference: Matrix, chances: Matrix) -> Matrix:
    """By how much points are worth having, so that they are in an order where none of them adds anything, too.

    Args:
        front: as of `gains`, not empty.
        points: as of `gains`.
        reference: as of `gains`.
        chances: of each point, that it is feasible.

    Returns:
        Shape (n,), to nine places: the gain times the chance, where that is more than 0; else -1 and less, by how far
        the point lies behind the front (the additive epsilon indicator).
    """
    gained = np.round(gains(front, points, reference) * chances, 9)
    behind = (points[:, None] - front).max(2).min(1)
    ordered: Matrix = np.where(gained > 0, gained, -1 - np.round(np.maximum(behind, 0), 9))
    return ordered


def _areas(front: Matrix, points: Matrix, reference: Matrix) -> Matrix:
    order = np.lexsort((front[:, 1], front[:, 0]))
    x, y = front[order, 0], np.minimum.accumulate(front[order, 1])
    left = np.concatenate([np.full(1, -np.inf), x])
    right = np.append(x, reference[0])
    heights = np.concatenate([reference[1:], y])
    widths = np.maximum(right - np.maximum(left, points[:, :1]), 0.0)
    areas: Matrix = (widths * np.maximum(heights - points[:, 1:], 0.0)).sum(1)
    return areas
