"""REINFORCE (Williams 1992) with a policy over genes, as Zoph & Le 2017 search networks, with an entropy bonus and
off-policy weights that are clipped as in PPO (Schulman et al. 2017).

A reward is a rank: how many of the candidates told of before it a candidate is better than, less how many are better,
which needs neither a scale nor a baseline. For several objectives better is a weighted augmented Chebyshev distance
from the best values (ParEGO, Knowles 2006) with weights that are drawn for each candidate, and who is over a limit is
behind all who are not.

The state is a function of what was told, in the order of the candidates, whenever it was told: the policy behind each
is kept, and learnt again from the first that changes. The policy that drew a candidate is taken to be the one at its
place in that order, which it is where one candidate comes after another.
"""

from bisect import bisect_left, insort
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from evonas.records import Genome
from evonas.seeding import stream
from evonas.strategies.novelty import Novelty
from evonas.strategies.policy import Genes, Policy, Sample
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy
from evonas.strategies.survival import NSGA2Selection

COMPARED = 100
"""Candidates before one that it is compared with."""
AUGMENTATION = 0.05
"""What the sum of all weighted objectives counts beside the largest (Knowles 2006)."""


class Reinforce(Strategy):
    """REINFORCE on a policy over genes.

    Args:
        problem: what is searched.
        rate: of learning.
        entropy: what a nat of a gene's entropy is worth beside a rank of -1 to 1.
        memory: candidates of which each step learns, the last one and so many before.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        rate: Annotated[float, Field(gt=0, le=1, description="of learning")] = 0.05,
        entropy: Annotated[float, Field(ge=0, le=1, description="what keeps the policy from one answer")] = 0.01,
        memory: Annotated[int, Field(ge=1, description="candidates of which each step learns")] = 5,
    ) -> None:
        self._space, self._seed, self._generation = problem.space, problem.seed, problem.generation
        self._rate, self._entropy, self._memory = rate, entropy, memory
        self._objectives = len(problem.objectives)
        self._novelty = Novelty(self._space)
        self._genes = Genes(self._space.genes, self._objectives)
        self._genomes: dict[int, Genome] = {}
        self._told: dict[int, Report] = {}
        self._order: list[int] = []
        self._policies: list[Policy] = [self._genes.start()]
        self._samples: list[Sample] = []

    def ask(self, index: int) -> Proposal:
        policy, weights = self.policy(), self._weights(index)
        rng = stream(self._seed, "breed", index)
        genome = self._novelty.first_new(lambda: self._genes.drawn(policy, weights, rng), tries=50)
        if genome is not None:
            return Proposal(genome, (), "policy")
        return Proposal(self._novelty.sample(rng), (), "immigrant")

    def register(self, index: int, genome: Genome) -> None:
        self._genomes[index] = genome
        self._novelty.add(genome)

    def tell(self, report: Report) -> None:
        self._forget_from(report.index)
        if report.index not in self._told:
            insort(self._order, report.index)
        self._told[report.index] = report

    def tell_failed(self, index: int) -> None:
        self._forget_from(index)
        if self._told.pop(index, None):
            self._order.remove(index)

    def selection(self) -> Selection:
        return NSGA2Selection(self._generation)

    def policy(self) -> Policy:
        """What has been learnt of all that was told."""
        for place in range(len(self._samples), len(self._order)):
            self._samples.append(self._sample(place))
            last = self._samples[max(0, place + 1 - self._memory) :]
            self._policies.append(self._genes.stepped(self._policies[-1], last, self._rate, self._entropy))
        return self._policies[-1]

    def chance(self, genome: Genome, weights: NDArray[np.float64]) -> float:
        """How likely the policy is to draw a genome.

        Args:
            genome: of the space.
            weights: of the objectives, shape (objectives,).
        """
        chosen, _ = self._genes.one_hot(genome, self._space.active(genome))
        return float(np.exp(self._genes.log_chance(self.policy(), chosen, weights)))

    def _forget_from(self, index: int) -> None:
        place = bisect_left(self._order, index)
        del self._samples[place:], self._policies[place + 1 :]

    def _weights(self, index: int) -> NDArray[np.float64]:
        drawn = stream(self._seed, "weights", index).exponential(size=self._objectives)
        weights: NDArray[np.float64] = np.round(drawn / drawn.sum(), 9)
        return weights

    def _sample(self, place: int) -> Sample:
        index = self._order[place]
        weights, genome = self._weights(index), self._genomes[index]
        chosen, active = self._genes.one_hot(genome, self._space.active(genome))
        chance = round(self._genes.log_chance(self._policies[place], chosen, weights), 9)
        return Sample(chosen, active, weights, self._advantage(place, weights), chance)

    def _advantage(self, place: int, weights: NDArray[np.float64]) -> float:
        """Share of those before that are worse, less the share of those that are better."""
        fitnesses = [self._told[index].fitness for index in self._order[max(0, place - COMPARED) : place + 1]]
        violations = np.array([fitness.violation for fitness in fitnesses])
        distances = np.zeros(len(fitnesses))
        feasible = violations == 0
        if feasible.any():
            values = np.array([fitness.values for fitness in fitnesses if fitness.violation == 0])
            span = np.ptp(values, axis=0)
            scaled = weights * (values - values.min(0)) / np.where(span > 0, span, 1.0)
            distances[feasible] = np.round(scaled.max(1) + AUGMENTATION * scaled.sum(1), 9)
        order = np.sign(violations[:-1] - violations[-1]) * 2 + np.sign(distances[:-1] - distances[-1])
        return float(np.sign(order).mean()) if len(order) else 0.0
