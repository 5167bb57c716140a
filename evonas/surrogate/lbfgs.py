"""L-BFGS (Nocedal & Wright, Numerical Optimization, 2006, algorithm 7.4) with backtracking, in a few lines.

A library's would take other steps in another version, and a search that is replayed there would be another one.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
MEMORY = 8
LONGEST = 2.0
"""Most that a variable moves in one step; the variables are logarithms."""


def minimise(function: Callable[[Vector], tuple[float, Vector]], start: Vector, iterations: int) -> Vector:
    """Descend from a point.

    Args:
        function: a point -> its value and gradient.
        start: shape (variables,).
        iterations: at most.

    Returns:
        The best point found.
    """
    x, (value, gradient) = start, function(start)
    pairs: deque[tuple[Vector, Vector]] = deque(maxlen=MEMORY)
    for _ in range(iterations):
        step = -_times_inverse_hessian(gradient, pairs)
        slope = float(step @ gradient)
        if slope >= 0:
            break
        step *= min(1.0, LONGEST / float(np.abs(step).max()))
        for _ in range(12):
            there = function(x + step)
            if there[0] <= value + 1e-4 * float(step @ gradient):
                break
            step = step / 2
        else:
            break
        change = there[1] - gradient
        if float(change @ step) > 1e-10:
            pairs.append((step, change))
        x, value, gradient = x + step, *there
    return x


def _times_inverse_hessian(gradient: Vector, pairs: deque[tuple[Vector, Vector]]) -> Vector:
    q, shares = gradient.copy(), []
    for step, change in reversed(pairs):
        share = float(step @ q) / float(step @ change)
        shares.append(share)
        q -= share * change
    if pairs:
        step, change = pairs[-1]
        q *= float(step @ change) / float(change @ change)
    else:
        q /= max(1.0, float(np.abs(q).max()))
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        q += step * (share - float(change @ q) / float(step @ change))
    return q
