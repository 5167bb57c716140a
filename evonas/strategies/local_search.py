"""Local search: White, Nolen & Savani, "Exploring the loss landscape in neural architecture search", UAI 2021, which
for one objective is hard to beat in small spaces; for several Paquete, Chiarandini & Stützle, "Pareto local optimum
sets in the biobjective travelling salesman problem", 2004.

A candidate is *open* while it has neighbours that were never proposed and none that is known to dominate it. Proposed
is a neighbour of the best open candidate, so that a climb goes on from an improvement as soon as that is known; where
no candidate is open, all climbs have ended, and another one starts at random.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from evonas.objectives.objectives import dominates
from evonas.records import Fitness, Genome
from evonas.seeding import stream
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy
from evonas.strategies.survival import NSGA2Selection, survivors
from evonas.strategies.variation import neighbours


class LocalSearch(Strategy):
    """Local search with restarts, from the first improvement that is known.

    Args:
        problem: what is searched.
        starts: candidates that are drawn at random before the best of them is climbed from.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        starts: Annotated[int, Field(ge=1, description="random candidates before the first climb")] = 10,
    ) -> None:
        self._space, self._seed, self._generation = problem.space, problem.seed, problem.generation
        self._starts = starts
        self._novelty = Novelty(self._space)
        self._near = _Nearness([gene.ordered for gene in self._space.genes])
        self._genomes: dict[int, Genome] = {}
        self._told: dict[int, Fitness] = {}
        self._open: dict[int, Fitness] = {}
        self._used_up: set[int] = set()
        """Candidates whose neighbours were all proposed, which nothing changes any more."""

    def ask(self, index: int) -> Proposal:
        while self._open and len(self._told) >= self._starts:
            best = survivors([*self._open.values()], 1)[0].index
            if genome := self._step(best, index):
                return Proposal(genome, (best,), "step")
            self._used_up.add(best)
            del self._open[best]
        return Proposal(self._novelty.sample(stream(self._seed, "breed", index)), (), "random")

    def register(self, index: int, genome: Genome) -> None:
        self._genomes[index] = genome
        self._novelty.add(genome)
        self._near.add(index, genome)

    def tell(self, report: Report) -> None:
        self._told[report.index] = report.fitness
        self._look(report.index)

    def tell_failed(self, index: int) -> None:
        self._told.pop(index, None)
        self._look(index)

    def selection(self) -> Selection:
        return NSGA2Selection(self._generation)

    def _step(self, start: int, index: int) -> Genome | None:
        """A new neighbour, from a stream of the two: who was found used up before must not count."""
        around = neighbours(self._space, self._genomes[start])
        order = iter(stream(self._seed, f"around {start}", index).permutation(len(around)))
        return self._novelty.first_new(lambda: around[next(order)], tries=len(around))

    def _look(self, index: int) -> None:
        """Which are open of a candidate and those around it."""
        for one in (index, *self._near.to(index)):
            self._open.pop(one, None)
            if self._is_open(one):
                self._open[one] = self._told[one]

    def _is_open(self, index: int) -> bool:
        if index in self._used_up or index not in self._told:
            return False
        around = (self._told[one] for one in self._near.to(index) if one in self._told)
        return not any(dominates(fitness, self._told[index]) for fitness in around)


class _Nearness:
    """Which candidates are one step apart.

    Args:
        ordered: of each gene.
    """

    def __init__(self, ordered: list[bool]) -> None:
        self._ordered = np.array(ordered)
        self._indices: list[int] = []
        self._space = np.zeros((64, len(ordered)), dtype=np.int64)
        self._near: dict[int, list[int]] = {}

    def to(self, index: int) -> list[int]:
        """The candidates beside one."""
        return self._near[index]

    def add(self, index: int, genome: Genome) -> None:
        count = len(self._indices)
        if count == len(self._space):
            self._space = np.concatenate([self._space, np.zeros_like(self._space)])
        apart = np.abs(self._space[:count] - genome)
        steps = np.where(self._ordered, apart, apart > 0).sum(1)
        self._near[index] = [self._indices[place] for place in np.flatnonzero(steps == 1)]
        for other in self._near[index]:
            self._near[other].append(index)
        self._space[count] = genome
        self._indices.append(index)
