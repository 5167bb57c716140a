"""In which scale a minimised value is modelled: logarithms of costs, and of how far an error is from the best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
NEAR = 0.9
"""Of the best error, what is taken off before the logarithm: differences among the best count for most."""
FLOOR = 0.02
"""Of the distance from the best to the median, what an error is above the best at least; there may be errors of 0."""


@dataclass(frozen=True, slots=True)
class Scale:
    """log(value - offset), of values at least `least` above the offset."""

    offset: float
    least: float

    def scaled(self, values: Vector) -> Vector:
        """Args:
        values: minimised, in the metric's unit, any shape.

        Returns:
            The same in this scale.
        """
        return np.log(np.maximum(values - self.offset, self.least))

    def value(self, scaled: Vector) -> Vector:
        """Undo `scaled`."""
        return np.exp(scaled) + self.offset


def scale_of(values: Vector, trained: bool) -> Scale:
    """The scale for values of one objective.

    Args:
        values: those known, minimised, shape (n,).
        trained: whether they are known only after training; else they are costs.
    """
    best, away = float(values.min()), float(np.median(values) - values.min()) or float(np.ptp(values)) or 1.0
    if best > 0 and not trained:
        return Scale(0.0, best * 1e-6)
    above = max((1 - NEAR) * max(best, 0.0), FLOOR * away)
    return Scale(best - above, above * 1e-3)
