"""What is bred, as a function of what was decided: the ledger says what is visible, the strategy chooses.

A search, its resumption and its verification all breed through here, so they cannot differ.
"""

from collections.abc import Sequence
from itertools import chain

from evonas.config import Config
from evonas.driver.schedule import Ledger, View
from evonas.loading import construct
from evonas.objectives.levels import Levels
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Genome, Job, Progress
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.strategies import STRATEGIES, Strategy, Survivor, survivors


class Breeder:
    """Candidates are bred, or recalled from a record, in index order and each once."""

    def __init__(self, config: Config, space: Space, objectives: Objectives) -> None:
        self._config = config
        self._noisy = objectives.noisy
        self._genomes: list[Genome] = []
        self.ledger = Ledger(config, objectives)
        self.strategy: Strategy = construct(
            STRATEGIES, config.strategy, "strategy", space, config.seed, config.strategy.population
        )
        self._best, self._counted = Levels(lambda count: config.strategy.population), 0
        self.next = 0
        """Index of the next candidate."""

    def ready(self) -> bool:
        """Whether all that the next candidate is to see has happened."""
        return self.ledger.ready(self.next)

    def breed(self, born_after: int | None = None) -> Job:
        """The next candidate; in async mode, as if so many had been decided.

        Raises:
            Exhausted: the space holds no network that has not been proposed.
        """
        view = self._look(born_after)
        proposal = self.strategy.ask(self.next)
        seed = seed_for(self._config.seed, "train", self.next)
        candidate = Candidate(self.next, proposal.genome, proposal.parents, proposal.operator, view.born_after, seed)
        return self._born(candidate, view)

    def recall(self, candidate: Candidate, reached: Sequence[Progress] = ()) -> Job:
        """The next candidate as it was recorded; `reached` is what an earlier attempt had reported."""
        assert candidate.index == self.next, f"candidate {candidate.index} is recalled in the place of {self.next}"
        return self._born(candidate, self._look(candidate.born_after), reached)

    def check(self, index: int) -> Job:
        """To measure a candidate that was bred before once more, and nothing else."""
        seed = seed_for(self._config.seed, "train", index)
        return Job(Candidate(index, self._genomes[index], (), "check", 0, seed), check=True)

    def population(self, count: int) -> list[Survivor]:
        """The survivors of the first `count` decided candidates, of no fewer than were asked for before."""
        for standing in self.ledger.final(self.ledger.order[self._counted : count]):
            self._best.add(standing)
        self._counted = count
        return survivors([*chain(*self._best.needed)], self._config.strategy.population)

    def _look(self, born_after: int | None = None) -> View:
        view = self.ledger.view(self.next, born_after)
        for index, standing in view.news:
            if standing is None:
                self.strategy.withdraw(index)
            else:
                self.strategy.tell(standing)
        return view

    def _born(self, candidate: Candidate, view: View, reached: Sequence[Progress] = ()) -> Job:
        self.strategy.born(candidate.index, candidate.genome)
        self.next += 1
        self._genomes.append(candidate.genome)
        genomes = tuple(self._genomes[member.index] for member in view.front) if self._noisy else ()
        return Job(candidate, view.bars, view.front, tuple(reached), genomes=genomes)
