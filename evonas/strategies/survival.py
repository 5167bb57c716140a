"""NSGA-II survival (Deb et al. 2002) on fitnesses: constrained rank, then crowding distance. Sorting is pymoo's.

Ties in crowding are broken by index, never at random, so survivors are a function of the fitnesses alone.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain

import numpy as np
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from evonas.objectives.levels import Levels
from evonas.objectives.pareto import points
from evonas.records import Fitness
from evonas.strategies.strategy import Survivor

_sort = NonDominatedSorting()
_crowding = get_crowding_function("cd")


class Ranking:
    """Fitnesses best first: by level, crowding distance, index. A level is ordered when it is asked for.

    Args:
        levels: non-domination levels, best first.
        size: how many of the best count.
    """

    def __init__(self, levels: Sequence[Sequence[Fitness]], size: int) -> None:
        self._levels = levels
        self._ends = list(accumulate(map(len, levels)))
        self._ordered: dict[int, list[int]] = {}
        self._count = min(size, self._ends[-1]) if levels else 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> int:
        """The index of the candidate there."""
        level = bisect_right(self._ends, place)
        if level not in self._ordered:
            members = sorted(self._levels[level], key=lambda fitness: fitness.index)
            if members[0].violation == 0:
                crowding = _crowding.do(points(members))
                members = [members[k] for k in np.lexsort((range(len(members)), -crowding))]
            self._ordered[level] = [fitness.index for fitness in members]
        return self._ordered[level][place - self._ends[level]]


class NSGA2Selection:
    """The best of all that were added.

    Args:
        size: of the population.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._best = Levels(lambda count: size)

    def add(self, fitness: Fitness) -> None:
        self._best.add(fitness)

    def members(self) -> list[Survivor]:
        return survivors([*chain(*self._best.needed)], self._size)


def survivors(fitnesses: Sequence[Fitness], size: int) -> list[Survivor]:
    """Choose the best: by rank, then by crowding distance, then by index.

    Args:
        fitnesses: of as many candidates, in any order.
        size: how many are chosen, where there are so many.

    Returns:
        Those chosen, best first. Ranks and distances are those among all of `fitnesses`.
    """
    feasible = sorted((s for s in fitnesses if s.violation == 0), key=lambda s: s.index)
    chosen: list[Survivor] = []
    fronts = _sort.do(points(feasible), n_stop_if_ranked=size) if feasible else []
    for rank, members in enumerate(fronts):
        crowding = _crowding.do(points([feasible[i] for i in members]))
        order = np.lexsort((members, -crowding))
        chosen += [Survivor(feasible[members[k]].index, rank, float(crowding[k])) for k in order]
    if len(chosen) < size:
        chosen += _least_violating(fitnesses, rank=len(fronts))
    return chosen[:size]


def _least_violating(fitnesses: Sequence[Fitness], rank: int) -> list[Survivor]:
    infeasible = sorted((s for s in fitnesses if s.violation > 0), key=lambda s: (s.violation, s.index))
    return [Survivor(s.index, rank + k, 0.0) for k, s in enumerate(infeasible)]
