"""Non-domination levels of a set that grows: the best of them, kept sorted while fitnesses come and go.

Level 0 is the front, level k the front of what is left without the levels before (Deb et al. 2002, with constrained
domination). A newcomer's level is found by bisection, and whom it dominates moves down level by level: Li, Deb, Zhang,
Zhang, "Efficient nondomination level update method for steady-state evolutionary multiobjective optimization", IEEE
Transactions on Cybernetics 47(9), 2017. What lies below the levels that are needed stays unsorted.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

import moocore
import numpy as np
from numpy.typing import NDArray

from evonas.records import Fitness

Matrix = NDArray[np.float64]
SPARE = 1
"""Levels kept beyond those that are needed, so that one is not sorted in and out again and again."""


class Levels:
    """need: of how many fitnesses there are -> how many the levels must hold at least."""

    def __init__(self, need: Callable[[int], float]) -> None:
        self._need = need
        self._levels: list[_FitnessMatrix] = []
        self._rest = _FitnessMatrix()

    def __len__(self) -> int:
        return self._held + len(self._rest)

    @property
    def needed(self) -> list[list[Fitness]]:
        """The fewest levels that hold as many as are needed, best first; all where there are not so many."""
        need = self._need(len(self))
        count = sum(total < need for total in accumulate(map(len, self._levels))) + 1
        return [list(level.fitnesses) for level in self._levels[:count]]

    def add(self, fitness: Fitness) -> None:
        """One whose index is not there yet."""
        row = _row(fitness)
        level = self._level(row)
        moved = [(fitness, row)]
        for rows in self._levels[level:]:
            beaten = rows.take([i for i, one in enumerate(rows.beaten_by(moved)) if one])
            rows.extend(moved)
            moved = beaten
            if not moved:
                break
        self._rest.extend(moved)
        self._settle()

    def discard(self, index: int) -> None:
        """Take a fitness out, by the index of its candidate; nothing where it is not there."""
        if self._rest.remove(index):
            return
        level = next((k for k, rows in enumerate(self._levels) if rows.remove(index)), None)
        if level is None:
            return
        for above, below in zip(self._levels[level:-1], self._levels[level + 1 :], strict=True):
            freed = below.take([i for i, row in enumerate(below.matrix) if not above.dominates(row)])
            if not freed:
                break
            above.extend(freed)
        else:  # of those below the last level some may belong to it now
            self._rest.extend(self._levels.pop().pairs())
        self._levels = [rows for rows in self._levels if len(rows)]
        self._settle()

    @property
    def _held(self) -> int:
        return sum(map(len, self._levels))

    def _level(self, row: Matrix) -> int:
        """The first level of which no member dominates; who is dominated in one is so in each before."""
        low, high = 0, len(self._levels)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._levels[middle].dominates(row) else (low, middle)
        return low

    def _settle(self) -> None:
        """Sort in what is needed, and let go of what has not been for long."""
        need, held = self._need(len(self)), self._held
        while held < need and len(self._rest):
            rows = _FitnessMatrix()
            rows.extend(self._rest.take(self._rest.front()))
            self._levels.append(rows)
            held += len(rows)
        while len(self._levels) > SPARE + 1 and held - sum(map(len, self._levels[-SPARE - 1 :])) >= need:
            last = self._levels.pop()
            held -= len(last)
            self._rest.extend(last.pairs())


class RungCutoff:
    """The fitnesses that a newcomer must not be dominated by to be among the share `promote`.

    The smallest number k of levels that holds at least promote x n of the n fitnesses is kept; a newcomer ranks behind
    level k exactly when a member of it dominates the newcomer, so that one level is all a worker needs. Empty while the
    share is less than one candidate.
    """

    def __init__(self, promote: float) -> None:
        self._promote, self._levels = promote, Levels(lambda count: promote * count - 1e-9)
        self.fitnesses: tuple[Fitness, ...] = ()

    def add(self, fitnesses: Sequence[Fitness]) -> None:
        for fitness in fitnesses:
            self._levels.add(fitness)
        if fitnesses and self._promote * len(self._levels) >= 1:
            self.fitnesses = tuple(sorted(self._levels.needed[-1], key=lambda fitness: fitness.index))


Pair = tuple[Fitness, Matrix]


class _FitnessMatrix:
    """Standings beside a matrix: their violation, then their values, 0 where those are not known."""

    def __init__(self) -> None:
        self.fitnesses: list[Fitness] = []
        self._place: dict[int, int] = {}
        self._space: Matrix = np.empty((0, 0))

    def __len__(self) -> int:
        return len(self.fitnesses)

    @property
    def matrix(self) -> Matrix:
        return self._space[: len(self)]

    def pairs(self) -> list[Pair]:
        return [(fitness, row.copy()) for fitness, row in zip(self.fitnesses, self.matrix, strict=True)]

    def extend(self, pairs: Iterable[Pair]) -> None:
        for fitness, row in pairs:
            self._make_room(len(row))
            self._space[len(self), : len(row)] = row
            self._place[fitness.index] = len(self)
            self.fitnesses.append(fitness)

    def _make_room(self, width: int) -> None:
        """For one more, of so many numbers."""
        height, widest = self._space.shape
        if len(self) < height and width <= widest:
            return
        space = np.zeros((max(8, 2 * len(self)), max(width, widest)))
        space[: len(self), :widest] = self.matrix
        self._space = space

    def remove(self, index: int) -> bool:
        """Whether it was there. The last one takes its place."""
        place = self._place.pop(index, None)
        if place is None:
            return False
        last = self.fitnesses.pop()
        if place < len(self):
            self.fitnesses[place] = last
            self._space[place] = self._space[len(self)]
            self._place[last.index] = place
        return True

    def take(self, places: Iterable[int]) -> list[Pair]:
        """Those at the places, which are not here any more."""
        taken = [(self.fitnesses[place], self._space[place].copy()) for place in places]
        for fitness, _ in taken:
            self.remove(fitness.index)
        return taken

    def dominates(self, row: Matrix) -> bool:
        """Whether a member dominates the row."""
        violation = self.matrix[:, 0]
        if row[0]:
            return bool((violation < row[0]).any())
        own, values = self.matrix[violation == 0][:, 1:], row[1:]
        return len(own) > 0 and bool(((own <= values).all(axis=1) & (own < values).any(axis=1)).any())

    def beaten_by(self, pairs: Iterable[Pair]) -> NDArray[np.bool_]:
        """Which members one of the pairs dominates."""
        matrix, beaten = self.matrix, np.zeros(len(self), dtype=bool)
        for _, row in pairs:
            beaten |= matrix[:, 0] > row[0]
            feasible = np.flatnonzero(matrix[:, 0] == 0)
            if len(feasible) and not row[0]:
                own, values = matrix[feasible, 1:], row[1:]
                beaten[feasible] |= (values <= own).all(axis=1) & (values < own).any(axis=1)
        return beaten

    def front(self) -> list[int]:
        """Places of the members that no other dominates."""
        violation = self.matrix[:, 0]
        least = np.flatnonzero(violation == violation.min())
        if violation.min() > 0:
            return least.tolist()
        best = moocore.is_nondominated(self.matrix[least, 1:], keep_weakly=True)
        places: list[int] = least[best].tolist()
        return places


def _row(fitness: Fitness) -> Matrix:
    return np.array([fitness.violation, *fitness.values], dtype=np.float64)
