"""NSGA-II: Deb, Pratap, Agarwal & Meyarivan, IEEE TEC 6(2), 2002; steady state, one child at a time.

Parents are the survivors of everything told so far, so the state is a function of what was told and a candidate
whose fitness changes at a later rung is ranked anew.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from evonas.objectives.levels import Levels
from evonas.records import Genome
from evonas.seeding import stream
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy
from evonas.strategies.survival import NSGA2Selection, Ranking
from evonas.strategies.variation import mutate, uniform_crossover


class NSGA2(Strategy):
    """NSGA-II, steady state.

    Args:
        problem: what is searched.
        population: survivors kept, of which parents are drawn. While fewer than half as many are known, candidates are
            random.
        crossover: share of children with two parents.
        mutation: chance of each gene to change; default: one gene a child on average.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        population: Annotated[int, Field(ge=2, description="survivors kept, of which parents are drawn")] = 24,
        crossover: Annotated[float, Field(ge=0, le=1, description="share of children with two parents")] = 0.9,
        mutation: Annotated[float, Field(ge=0, le=1, description="chance of each gene to change")] | None = None,
    ) -> None:
        self._space = problem.space
        self._seed = problem.seed
        self._size = population
        self._crossover = crossover
        self._mutation = 1 / len(self._space.genes) if mutation is None else mutation
        self._novelty = Novelty(self._space)
        self._genomes: dict[int, Genome] = {}
        self._told = Levels(lambda count: population)
        self._parents: Ranking | None = None

    def ask(self, index: int) -> Proposal:
        rng = stream(self._seed, "breed", index)
        if 2 * len(self._told) < self._size:
            return Proposal(self._novelty.sample(rng), (), "random")
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
        self._parents = None

    def tell_failed(self, index: int) -> None:
        self._told.discard(index)
        self._parents = None

    def selection(self) -> Selection:
        return NSGA2Selection(self._size)

    def _breed(self, rng: np.random.Generator) -> Proposal:
        mother = self._tournament(rng)
        if rng.random() >= self._crossover:
            return Proposal(mutate(self._space, self._genomes[mother], self._mutation, rng), (mother,), "mutation")
        father = self._tournament(rng)
        child = uniform_crossover(self._genomes[mother], self._genomes[father], rng)
        return Proposal(mutate(self._space, child, self._mutation, rng), (mother, father), "crossover+mutation")

    def _tournament(self, rng: np.random.Generator) -> int:
        """Binary tournament by constrained rank, then crowding: the order of the ranking."""
        if self._parents is None:
            self._parents = Ranking(self._told.needed, self._size)
        drawn = rng.integers(len(self._parents), size=2)
        return self._parents[int(drawn.min())]
