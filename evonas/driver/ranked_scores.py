"""Who passes rung 0 where several zero-cost scores stand in for what training would give (`training.before: scores`).

A network's aggregate changes with those that it is ranked among, so the bar is made anew at each birth, of all that is
visible then.
"""

from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from evonas.objectives.metrics import AGGREGATED
from evonas.objectives.objectives import Objectives
from evonas.objectives.score_ranks import Columns, aggregate, scores_of
from evonas.records import Fitness
from evonas.strategies import Report


class RankedScores:
    """The networks whose scores are known, and who of them a newcomer must not be dominated by.

    Args:
        promote: share of the newcomers that passes.
        objectives: of the search; those that only training tells are stood in for by the aggregate.
    """

    def __init__(self, promote: float, objectives: Objectives) -> None:
        self._promote = promote
        self._trained = np.array([objective.trained for objective in objectives.objectives])
        self._known: list[Fitness] = []
        self._scores: list[list[float]] = []
        self._cutoff: tuple[Fitness, ...] | None = ()
        self._columns: Columns = ((),) * len(AGGREGATED)

    def add(self, reports: Sequence[Report]) -> None:
        """Take in what became visible before training; those over a limit on costs are compared with nobody."""
        able = [report for report in reports if report.fitness.values and report.metrics.keys() >= {*AGGREGATED}]
        self._known += [report.fitness for report in able]
        self._scores += [scores_of(report.metrics) for report in able]
        if able:
            self._cutoff = None

    @property
    def columns(self) -> Columns:
        """By which a newcomer places itself."""
        self._settle()
        return self._columns

    @property
    def fitnesses(self) -> tuple[Fitness, ...]:
        """As those of `RungCutoff`, but that what training would give is the aggregate among those known by now."""
        self._settle()
        assert self._cutoff is not None
        return self._cutoff

    def _settle(self) -> None:
        if self._cutoff is not None:
            return
        scores = np.array(self._scores)
        self._columns = tuple(map(tuple, np.sort(scores, axis=0).T.tolist()))
        values = np.array([fitness.values for fitness in self._known])
        values[:, self._trained] = -aggregate(scores)[:, None]
        self._cutoff = self._last_level(values)

    def _last_level(self, values: NDArray[np.float64]) -> tuple[Fitness, ...]:
        """The last of the fewest levels that hold the share of all; empty while that is less than one network."""
        need = self._promote * len(values)
        if need < 1:
            return ()
        levels = moocore.pareto_rank(values)
        last = int(np.argmax(np.cumsum(np.bincount(levels)) >= need - 1e-9))
        places = sorted(np.flatnonzero(levels == last), key=lambda place: self._known[place].index)
        return tuple(Fitness(self._known[i].index, 0, tuple(values[i].tolist())) for i in places)
