"""The search as Tune drives it: trials begin, and end in any order. Its state is a function of what has happened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evonas.errors import UserError
from evonas.records import Genome
from evonas.strategies import Report, Strategy
from evonas.tune.aims import Aims


@dataclass(frozen=True, slots=True)
class Suggested:
    """A trial was given a genome."""

    trial: str
    genome: Genome


@dataclass(frozen=True, slots=True)
class Completed:
    """A trial reached metrics: all that are named, finite."""

    trial: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial reached nothing to compare, for a reason in one line."""

    trial: str
    reason: str


Event = Suggested | Completed | Failed


class Evolution:
    """A strategy and what it was told of.

    Args:
        strategy: new.
        aims: make fitnesses of metrics.
    """

    def __init__(self, strategy: Strategy, aims: Aims) -> None:
        self._strategy, self._aims = strategy, aims
        self._index: dict[str, int] = {}
        self.genomes: dict[str, Genome] = {}
        """Trial -> genome, in the order in which they were suggested."""
        self.reached: dict[str, Mapping[str, float]] = {}
        """Trial -> metrics, of those that are completed."""
        self.events: list[Event] = []
        """All that happened, in order."""

    def suggest(self, trial: str) -> Genome:
        """Breed a genome from what was told so far.

        Args:
            trial: that it is for. One that has a genome keeps it.

        Returns:
            A genome.

        Raises:
            Exhausted: the space holds none that is new.
        """
        if trial not in self.genomes:
            self.take(Suggested(trial, self._strategy.ask(len(self.genomes)).genome))
        return self.genomes[trial]

    def take(self, event: Event) -> None:
        """Let something have happened, now or in the history that is replayed.

        Args:
            event: of a trial that is suggested by it or was before. A later end of a trial replaces an earlier one.
        """
        if isinstance(event, Suggested):
            index = self._index[event.trial] = len(self.genomes)
            self.genomes[event.trial] = event.genome
            self._strategy.register(index, event.genome)
        elif isinstance(event, Completed):
            index = self._index[event.trial]
            self.reached[event.trial] = event.metrics
            self._strategy.tell(Report(index, self._aims.fitness(index, event.metrics), event.metrics))
        else:
            self.reached.pop(event.trial, None)
            self._strategy.tell_failed(self._index[event.trial])
        self.events.append(event)

    def replay(self, events: Iterable[Event]) -> None:
        """Let a history have happened.

        Args:
            events: of a search in the same space, in order.

        Raises:
            UserError: they are of none.
        """
        try:
            for event in events:
                self.take(event)
        except (ValueError, LookupError) as error:
            raise UserError(f"the history of the searcher is damaged: {error}") from None
