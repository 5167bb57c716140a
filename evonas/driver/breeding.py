"""What is bred, as a function of what was evaluated: the buffer says what is visible, the strategy chooses.

A search, its resumption and its verification all breed through here, so they cannot differ.
"""

from collections.abc import Sequence
from itertools import chain

from evonas.config import Config
from evonas.driver.schedule import ReorderBuffer, View
from evonas.loading import construct
from evonas.objectives.levels import Levels
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Genome, Job, RungReport
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.strategies import STRATEGIES, Strategy, Survivor, survivors


class Breeder:
    """Candidates are bred, or recalled from a record, in index order and each once."""

    def __init__(self, config: Config, space: Space, objectives: Objectives) -> None:
        self._config = config
        self._noisy = objectives.noisy
        self._genomes: list[Genome] = []
        self.buffer = ReorderBuffer(config, objectives)
        self.strategy: Strategy = construct(
            STRATEGIES, config.strategy, "strategy", space, config.seed, config.strategy.population
        )
        self._best, self._counted = Levels(lambda count: config.strategy.population), 0
        self.next = 0
        """Index of the next candidate."""

    def ready(self) -> bool:
        """Whether all that the next candidate is to see has happened."""
        return self.buffer.ready(self.next)

    def breed(self, visible: int | None = None) -> Job:
        """The next candidate; in async mode, as if so many had been evaluated.

        Raises:
            Exhausted: the space holds no network that has not been proposed.
        """
        view = self._look(visible)
        proposal = self.strategy.ask(self.next)
        seed = seed_for(self._config.seed, "train", self.next)
        candidate = Candidate(self.next, proposal.genome, proposal.parents, proposal.operator, view.visible, seed)
        return self._born(candidate, view)

    def recall(self, candidate: Candidate, reached: Sequence[RungReport] = ()) -> Job:
        """The next candidate as it was recorded; `reached` is what an earlier attempt had reported."""
        assert candidate.index == self.next, f"candidate {candidate.index} is recalled in the place of {self.next}"
        return self._born(candidate, self._look(candidate.visible), reached)

    def check(self, index: int) -> Job:
        """To measure a candidate that was bred before once more, and nothing else."""
        seed = seed_for(self._config.seed, "train", index)
        return Job(Candidate(index, self._genomes[index], (), "measure", 0, seed), kind="measure")

    def population(self, count: int) -> list[Survivor]:
        """The survivors of the first `count` evaluated candidates, of no fewer than were asked for before."""
        for fitness in self.buffer.final(self.buffer.order[self._counted : count]):
            self._best.add(fitness)
        self._counted = count
        return survivors([*chain(*self._best.needed)], self._config.strategy.population)

    def _look(self, visible: int | None = None) -> View:
        view = self.buffer.view(self.next, visible)
        for index, fitness in view.news:
            if fitness is None:
                self.strategy.tell_failed(index)
            else:
                self.strategy.tell(fitness)
        return view

    def _born(self, candidate: Candidate, view: View, reached: Sequence[RungReport] = ()) -> Job:
        self.strategy.register(candidate.index, candidate.genome)
        self.next += 1
        self._genomes.append(candidate.genome)
        genomes = tuple(self._genomes[member.index] for member in view.front) if self._noisy else ()
        return Job(candidate, view.cutoffs, view.front, tuple(reached), genomes=genomes)
