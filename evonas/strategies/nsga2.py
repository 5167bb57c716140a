"""NSGA-II: Deb, Pratap, Agarwal & Meyarivan, IEEE TEC 6(2), 2002; steady state, one child at a time.

Parents are the survivors of everything told so far, so the state is a function of what was told and a candidate
whose fitness changes at a later rung is ranked anew. Survival and crossover are pymoo's.
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from pymoo.operators.crossover.ux import UX

from evonas.objectives.levels import Levels
from evonas.records import Fitness, Genome
from evonas.seeding import stream
from evonas.spaces.space import Space
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Proposal
from evonas.strategies.survival import Ranking

Share = Annotated[float, Field(ge=0, le=1)]


class NSGA2:
    """Options: crossover is the share of children with two parents; mutation is the chance of each gene to change
    (default: one gene a child on average)."""

    def __init__(
        self, space: Space, seed: int, population: int, *, crossover: Share = 0.9, mutation: Share | None = None
    ) -> None:
        self._space = space
        self._seed = seed
        self._size = population
        self._crossover = crossover
        self._mutation = 1 / len(space.genes) if mutation is None else mutation
        self._novelty = Novelty(space)
        self._genomes: dict[int, Genome] = {}
        self._told = Levels(lambda count: population)
        self._parents: Ranking | None = None
        self._uniform = UX()

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

    def tell(self, fitness: Fitness) -> None:
        self._told.discard(fitness.index)
        self._told.add(fitness)
        self._parents = None

    def tell_failed(self, index: int) -> None:
        self._told.discard(index)
        self._parents = None

    def _breed(self, rng: np.random.Generator) -> Proposal:
        mother = self._tournament(rng)
        if rng.random() >= self._crossover:
            return Proposal(self._mutate(self._genomes[mother], rng), (mother,), "mutation")
        father = self._tournament(rng)
        pair = np.array([[self._genomes[mother]], [self._genomes[father]]])
        child = self._uniform._do(None, pair, random_state=rng)[0, 0]
        return Proposal(self._mutate(tuple(child.tolist()), rng), (mother, father), "crossover+mutation")

    def _tournament(self, rng: np.random.Generator) -> int:
        """Binary tournament by constrained rank, then crowding: the order of the ranking."""
        if self._parents is None:
            self._parents = Ranking(self._told.needed, self._size)
        drawn = rng.integers(len(self._parents), size=2)
        return self._parents[int(drawn.min())]

    def _mutate(self, genome: Genome, rng: np.random.Generator) -> Genome:
        """Genes change on their own, active or not: an ordered gene by one step, any other to another value."""
        child = list(genome)
        for i in np.flatnonzero(rng.random(len(child)) < self._mutation):
            gene = self._space.genes[i]
            if gene.size == 1:
                continue
            if gene.ordered:
                step = 1 if child[i] == 0 else -1 if child[i] == gene.size - 1 else int(rng.choice((-1, 1)))
                child[i] += step
            else:
                child[i] = (child[i] + int(rng.integers(1, gene.size))) % gene.size
        return tuple(child)
