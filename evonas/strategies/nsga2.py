"""NSGA-II: Deb, Pratap, Agarwal & Meyarivan, IEEE TEC 6(2), 2002; steady state, one child at a time.

Parents are of the best that was told so far, so the state is a function of what was told and a candidate whose fitness
changes at a later rung is ranked anew. By default they are drawn from the whole front at even odds: a binary tournament
by crowding picks the ends of a front again and again, and the networks there that guess are no good parents.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from evonas.objectives.levels import Levels
from evonas.records import Fitness, Genome
from evonas.seeding import stream
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy
from evonas.strategies.survival import NSGA2Selection, Ranking
from evonas.strategies.variation import mutate, uniform_crossover


class NSGA2(Strategy):
    """NSGA-II, steady state.

    Args:
        problem: what is searched.
        population: survivors kept, of which parents are drawn with `parents: population`.
        parents: "front": any of the best level of all that was told, at even odds, as long as it is within the limits;
            "population": the winner of a binary tournament among the survivors, as in the paper.
        initial: while fewer are known, candidates are random; default: a third of the population.
        spread: draws for each of these, of which the one is taken that differs in most genes from all candidates.
        crossover: share of children with two parents.
        mutation: chance of each gene to change; default: one gene a child on average.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        population: Annotated[int, Field(ge=2, description="survivors kept")] = 24,
        parents: Annotated[Literal["front", "population"], Field(description="of which parents are drawn")] = "front",
        initial: Annotated[int, Field(ge=1, description="while fewer are known, candidates are random")] | None = None,
        spread: Annotated[int, Field(ge=1, description="draws for each of these; the most different is taken")] = 10,
        crossover: Annotated[float, Field(ge=0, le=1, description="share of children with two parents")] = 0.5,
        mutation: Annotated[float, Field(ge=0, le=1, description="chance of each gene to change")] | None = None,
    ) -> None:
        self._space = problem.space
        self._seed = problem.seed
        self._size = population
        self._of_front, self._spread = parents == "front", spread
        self._initial = max(1, population // 3) if initial is None else initial
        self._crossover = crossover
        self._mutation = 1 / len(self._space.genes) if mutation is None else mutation
        self._novelty = Novelty(self._space)
        self._genomes: dict[int, Genome] = {}
        self._told = Levels(lambda count: population)
        self._front: list[Fitness] = []
        self._ranking: Ranking | None = None

    def ask(self, index: int) -> Proposal:
        rng = stream(self._seed, "breed", index)
        if len(self._told) < self._initial:
            return Proposal(self._novelty.apart(rng, self._genomes.values(), self._spread), (), "random")
        bred: list[Proposal] = []

        def child() -> Genome:
            bred.append(self._breed(rng))
            return bred[-1].genome

        if self._novelty.first_new(child, tries=50) is not None:
            return bred[-1]
        return Proposal(self._novelty.sample(rng), (), "immigrant")

    def register(self, index: int, genome: Genome) -> None:
        self._genomes[index] = genome
        self._novelty.add(genome)

    def tell(self, report: Report) -> None:
        self._told.discard(report.index)
        self._told.add(report.fitness)
        self._ranking = None

    def tell_failed(self, index: int) -> None:
        self._told.discard(index)
        self._ranking = None

    def selection(self) -> Selection:
        return NSGA2Selection(self._size)

    def _breed(self, rng: np.random.Generator) -> Proposal:
        mother = self._parent(rng)
        if rng.random() >= self._crossover:
            return Proposal(mutate(self._space, self._genomes[mother], self._mutation, rng), (mother,), "mutation")
        father = self._parent(rng)
        child = uniform_crossover(self._genomes[mother], self._genomes[father], rng)
        return Proposal(mutate(self._space, child, self._mutation, rng), (mother, father), "crossover+mutation")

    def _parent(self, rng: np.random.Generator) -> int:
        """One of the front; or the winner of a binary tournament by constrained rank, then crowding: the order of the
        ranking."""
        if self._ranking is None:
            levels = self._told.needed
            self._ranking = Ranking(levels, self._size)
            self._front = sorted(levels[0], key=lambda fitness: fitness.index)
        if self._of_front and self._front[0].violation == 0:
            return self._front[int(rng.integers(len(self._front)))].index
        drawn = rng.integers(len(self._ranking), size=2)
        return self._ranking[int(drawn.min())]
