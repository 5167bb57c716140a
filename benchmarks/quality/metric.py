"""How good what was found is: the share of the true front's hypervolume.

A value f becomes (f - ideal) / (nadir - ideal), with ideal and nadir of the true front of the networks within the limit
whose error is within 10 points of the best of them, so that the chance-level end of a table counts for nothing; the
reference point is 1.1 in each objective. The share after n networks is the hypervolume of the first n trained ones in
percent of that of the front. Values are those of the table, genome by genome: a search that trains one genome of a
class of equal networks has that one's noise, and cannot reach 100 %.
"""

from dataclasses import dataclass

import moocore
import numpy as np
from scipy import stats

WITHIN, REFERENCE = 0.10, 1.1
Points = np.ndarray
"""Objectives of the trained networks in the order in which they were trained, shape (networks, objectives)."""


@dataclass(frozen=True)
class Metric:
    """ideal, nadir: of the true front, shape (objectives,). whole: the true front's hypervolume."""

    ideal: np.ndarray
    nadir: np.ndarray
    whole: float

    @staticmethod
    def of(everything: Points) -> "Metric":
        """Of all networks within the limit, the error first."""
        useful = everything[everything[:, 0] <= everything[:, 0].min() + WITHIN]
        front = useful[moocore.is_nondominated(useful)]
        ideal, nadir = front.min(0), front.max(0)
        return Metric(ideal, nadir, moocore.hypervolume((front - ideal) / (nadir - ideal), ref=REFERENCE))

    def share(self, points: Points) -> float:
        """Percent of the true hypervolume."""
        if not len(points):
            return 0.0
        return 100 * moocore.hypervolume((points - self.ideal) / (self.nadir - self.ideal), ref=REFERENCE) / self.whole

    def needed(self, points: Points, share: float) -> float:
        """How many of the networks it takes to reach a share in percent; inf where all of them do not."""
        if self.share(points) < share:
            return np.inf
        low, high = 0, len(points)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.share(points[:middle]) >= share else (middle, high)
        return high


def mean_and_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean, and half the 95 % interval of it by Student's t; 0 of a single value."""
    if len(values) < 2:
        return float(np.mean(values)), 0.0
    return float(np.mean(values)), float(stats.sem(values) * stats.t.ppf(0.975, len(values) - 1))
