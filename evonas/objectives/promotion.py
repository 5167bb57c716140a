"""Who trains on, where training is paused at each rung: successive halving without waiting (ASHA, Li et al. 2020), with
Pareto ranks in the place of one loss."""

from collections.abc import Iterable, Iterator, Sequence

from evonas.objectives.levels import Levels
from evonas.records import Candidate, Fitness

PROMOTED = "promote:"
"""Begins the operator of a promotion; behind it stands the rung to which its training goes."""


def promoted_to(candidate: Candidate) -> int | None:
    """The rung to which a candidate is promoted; None for one that is a network of its own."""
    return int(candidate.operator.removeprefix(PROMOTED)) if candidate.operator.startswith(PROMOTED) else None


def went_on(births: Iterable[tuple[str, Sequence[int]]]) -> set[int]:
    """The paused candidates that trained on as others.

    Args:
        births: operator and parents of candidates.
    """
    return {int(parents[0]) for operator, parents in births if operator.startswith(PROMOTED)}


class Promotions:
    """Those that are paused, by rung, and who of them is next.

    Of the n that are known at a rung, the best `share` x n may train on: by non-domination level in all objectives as
    they are there, then by the objective that is learnt, then by index. From the last rung down, the first of them that
    has not been promoted is the next.

    Args:
        rungs: at how many training is paused.
        share: of those at a rung that may train on.
        learnt: place of the objective among the values of a fitness, by which members of a level are ordered.
    """

    def __init__(self, rungs: int, share: float, learnt: int) -> None:
        self._share, self._learnt = share, learnt
        self._levels = [Levels(self._best) for _ in range(rungs)]
        self._gone: list[set[int]] = [set() for _ in range(rungs)]

    def add(self, fitness: Fitness) -> None:
        """Take in what a candidate is paused with; one that has reached the last rung is not paused."""
        if fitness.values and fitness.rung < len(self._levels):
            self._levels[fitness.rung].add(fitness)

    def gone(self, index: int, rung: int) -> None:
        """A candidate that is paused at a rung trains on."""
        self._gone[rung].add(index)

    def next(self) -> tuple[int, int] | None:
        """Whom to promote, and the rung where it is paused; None where nobody is worth it."""
        for rung in reversed(range(len(self._levels))):
            for place, fitness in enumerate(self._ordered(rung)):
                if place >= self._best(len(self._levels[rung])):
                    break
                if fitness.index not in self._gone[rung]:
                    return fitness.index, rung
        return None

    def waiting(self) -> list[int]:
        """Those known that may soon be promoted, the next ones first."""
        rungs = reversed(range(len(self._levels)))
        return [one.index for rung in rungs for one in self._ordered(rung) if one.index not in self._gone[rung]]

    def _best(self, count: int) -> int:
        return int(self._share * count + 1e-9)

    def _ordered(self, rung: int) -> Iterator[Fitness]:
        """Of the levels that hold the best."""
        for level in self._levels[rung].needed:
            yield from sorted(level, key=lambda one: (one.values[self._learnt], one.index))
