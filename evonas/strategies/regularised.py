"""Regularised evolution: Real, Aggarwal, Huang & Le, "Regularized evolution for image classifier architecture search",
AAAI 2019, algorithm 1, for several objectives and steady state.

A population is a queue: who comes in at one end pushes out the oldest at the other, however good it is. A parent is the
best of a few members drawn at random, by constrained non-domination rank among those drawn, then their crowding
distance, then index.
"""

from collections import deque
from itertools import islice
from typing import Annotated

import numpy as np
from pydantic import Field

from evonas.records import Fitness, Genome
from evonas.seeding import stream
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy, Survivor
from evonas.strategies.survival import survivors
from evonas.strategies.variation import mutate


class AgeingSelection:
    """The youngest candidates.

    Args:
        size: of the population.
    """

    def __init__(self, size: int) -> None:
        self._queue: deque[Fitness] = deque(maxlen=size)

    def add(self, fitness: Fitness) -> None:
        self._queue.append(fitness)

    def members(self) -> list[Survivor]:
        return survivors([*self._queue], len(self._queue))


class RegularisedEvolution(Strategy):
    """Regularised (ageing) evolution, steady state.

    A candidate's age counts from when its first report was told. One that fails leaves, and the youngest of those that
    were too old is in the population again: that is a function of who has not failed, as the record's populations are.

    Args:
        problem: what is searched.
        population: candidates that are alive. While fewer are known, candidates are random.
        sample: members drawn for a tournament, with replacement. The default is a quarter of the population's default,
            the paper's 25 of 100.
        mutation: chance of each gene to change; default: one gene a child on average.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        population: Annotated[int, Field(ge=2, description="candidates alive: the last so many")] = 24,
        sample: Annotated[int, Field(ge=1, description="members drawn for a tournament")] = 6,
        mutation: Annotated[float, Field(ge=0, le=1, description="chance of each gene to change")] | None = None,
    ) -> None:
        self._space = problem.space
        self._seed = problem.seed
        self._size, self._sample = population, sample
        self._mutation = 1 / len(self._space.genes) if mutation is None else mutation
        self._novelty = Novelty(self._space)
        self._genomes: dict[int, Genome] = {}
        self._told: dict[int, Fitness] = {}  # oldest first

    def ask(self, index: int) -> Proposal:
        rng = stream(self._seed, "breed", index)
        if len(self._told) < self._size:
            return Proposal(self._novelty.sample(rng), (), "random")
        alive = [*islice(reversed(self._told.values()), self._size)]
        parents: list[int] = []

        def child() -> Genome:
            parents.append(self._tournament(alive, rng))
            return mutate(self._space, self._genomes[parents[-1]], self._mutation, rng)

        genome = self._novelty.first_new(child, tries=50)
        if genome is not None:
            return Proposal(genome, (parents[-1],), "mutation")
        return Proposal(self._novelty.sample(rng), (), "immigrant")

    def register(self, index: int, genome: Genome) -> None:
        self._genomes[index] = genome
        self._novelty.add(genome)

    def tell(self, report: Report) -> None:
        self._told[report.index] = report.fitness  # a later report keeps the place in the queue

    def tell_failed(self, index: int) -> None:
        self._told.pop(index, None)

    def selection(self) -> Selection:
        return AgeingSelection(self._size)

    def _tournament(self, alive: list[Fitness], rng: np.random.Generator) -> int:
        drawn = {alive[i].index: alive[i] for i in rng.integers(len(alive), size=self._sample)}
        return survivors([*drawn.values()], 1)[0].index
