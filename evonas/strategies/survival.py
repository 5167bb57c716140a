"""NSGA-II survival (Deb et al. 2002) on fitnesses: constrained rank, then crowding distance. Sorting is pymoo's.

Ties in crowding are broken by index, never at random, so survivors are a function of the fitnesses alone.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from evonas.objectives.pareto import points
from evonas.records import Fitness

_sort = NonDominatedSorting()
_crowding = get_crowding_function("cd")


@dataclass(frozen=True, slots=True)
class Survivor:
    """rank: 0 is the first front. crowding: distance in the normalised objectives, inf at the ends of a front."""

    index: int
    rank: int
    crowding: float


class Ranking:
    """Standings best first: by level, crowding distance, index. A level is ordered when it is asked for.

    levels: non-domination levels, best first. size: how many of the best count.
    """

    def __init__(self, levels: Sequence[Sequence[Fitness]], size: int) -> None:
        self._levels = levels
        self._ends = list(accumulate(map(len, levels)))
        self._ordered: dict[int, list[int]] = {}
        self._count = min(size, self._ends[-1]) if levels else 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> int:
        """The index of who is there."""
        level = bisect_right(self._ends, place)
        if level not in self._ordered:
            members = sorted(self._levels[level], key=lambda fitness: fitness.index)
            if members[0].violation == 0:
                crowding = _crowding.do(points(members))
                members = [members[k] for k in np.lexsort((range(len(members)), -crowding))]
            self._ordered[level] = [fitness.index for fitness in members]
        return self._ordered[level][place - self._ends[level]]


def survivors(fitnesses: Sequence[Fitness], size: int) -> list[Survivor]:
    """The `size` best of `fitnesses`, best first: by rank, then by crowding distance, then by index."""
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
