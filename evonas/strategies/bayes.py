"""Bayesian optimisation: of a pool of NSGA-II's children, the one that a Gaussian process expects most of.

The surrogate is `evonas.surrogate`: an independent process an objective, costs among them, and the acquisition is the
hypervolume that a child would add to the front.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from evonas.objectives.levels import Levels
from evonas.records import Genome
from evonas.seeding import stream
from evonas.strategies.children import Child, Nursery
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy
from evonas.strategies.survival import NSGA2Selection, Ranking
from evonas.surrogate.acquisition import Acquisition, Told
from evonas.surrogate.surrogate import FEWEST, MOST


class Bayes(Strategy):
    """Bayesian optimisation with a Gaussian process on genes.

    Args:
        problem: what is searched.
        population: survivors kept, of which the parents of pools are drawn.
        pool: children of which the best is proposed.
        networks: of which the model is made at most, the best ones.
        spread: draws for each of the first ones, until the model is made of enough.
        crossover: share of children with two parents.
        mutation: chance of each gene to change; default: one gene a child on average.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        population: Annotated[int, Field(ge=2, description="survivors kept, of which parents are drawn")] = 24,
        pool: Annotated[int, Field(ge=1, description="children of which the best is proposed")] = 400,
        networks: Annotated[int, Field(ge=FEWEST, description="of which the model is made at most")] = MOST,
        spread: Annotated[int, Field(ge=1, description="draws for each of the first; the most different is taken")] = 1,
        crossover: Annotated[float, Field(ge=0, le=1, description="share of children with two parents")] = 0.9,
        mutation: Annotated[float, Field(ge=0, le=1, description="chance of each gene to change")] | None = None,
    ) -> None:
        self._space, self._seed = problem.space, problem.seed
        self._size, self._pool, self._spread = population, pool, spread
        rate = 1 / len(self._space.genes) if mutation is None else mutation
        self._nursery = Nursery(self._space, crossover, rate)
        self._novelty = Novelty(self._space)
        self._genomes: dict[int, Genome] = {}
        self._pending: dict[int, Genome] = {}
        self._told: dict[int, Told] = {}
        self._levels = Levels(lambda count: population)
        self._parents: Ranking | None = None
        self._acquisition = Acquisition(self._space, problem.objectives, problem.limits, networks)
        self._enough = False

    def ask(self, index: int) -> Proposal:
        rng = stream(self._seed, "breed", index)
        self._refresh()
        if self._enough and self._parents and (child := self._best(rng)):
            return Proposal(child.genome, child.parents, child.operator, self._acquisition.predicted(child.genome))
        return Proposal(self._novelty.apart(rng, self._genomes.values(), self._spread), (), "random")

    def register(self, index: int, genome: Genome) -> None:
        self._genomes[index] = self._pending[index] = genome
        self._novelty.add(genome)

    def tell(self, report: Report) -> None:
        before, fitness = self._told.get(report.index), report.fitness
        reached = {**(before.reached if before else {}), **({fitness.rung: fitness.values} if fitness.values else {})}
        self._forget(report.index)
        self._told[report.index] = Told(self._genomes[report.index], fitness, report.metrics, reached)
        self._levels.add(report.fitness)

    def tell_failed(self, index: int) -> None:
        self._forget(index)

    def selection(self) -> Selection:
        return NSGA2Selection(self._size)

    def _forget(self, index: int) -> None:
        self._pending.pop(index, None)
        self._told.pop(index, None)
        self._levels.discard(index)
        self._parents = None

    def _refresh(self) -> None:
        """Fit what is known now, where it is not what was fitted."""
        if self._parents is None:
            self._parents = Ranking(self._levels.needed, self._size)
            self._enough = self._acquisition.learn([self._told[index] for index in sorted(self._told)])

    def _best(self, rng: np.random.Generator) -> Child | None:
        """The new child that is worth most; None where none is new."""
        assert self._parents
        pool = self._nursery.children(self._parents, self._genomes, self._pool, rng)
        new = self._novelty.new([child.genome for child in pool])
        pool = [child for child, is_new in zip(pool, new, strict=True) if is_new]
        if not pool:
            return None
        scores = self._acquisition.scores([child.genome for child in pool], [*self._pending.values()])
        best = np.flatnonzero(scores == scores.max())
        return pool[int(rng.choice(best) if self._acquisition.of_limits else best[0])]
