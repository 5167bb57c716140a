"""The contract of a strategy: ask for a genome, tell what was reached.

A strategy neither evaluates, stores nor prints. Its state is a function of the births and reports it was told, so
a search is resumed by telling again what was recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from evonas.objectives.objectives import Limit, Objective
from evonas.records import Fitness, Genome
from evonas.spaces.space import Space


class Exhausted(Exception):
    """The space holds no network that has not been proposed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is searched: all that a strategy is constructed with besides its own options.

    Args:
        space: gives genomes, and the identity under which two of them are one network.
        seed: of the search; draws come from `seeding.stream(seed, purpose, index)`, so none depends on another.
        objectives: in the order of `Fitness.values`; each has `key` (its column), `unit` and `sign`.
        generation: candidates in a block of the record (`schedule.generation`); no population of a strategy.
        limits: of the search; each has `key` (its column), `bound`, `sign` (-1 of at_least) and `trained`. A report
            says by its fitness how far they are exceeded.
    """

    space: Space
    seed: int
    objectives: tuple[Objective, ...]
    generation: int
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy proposes for one candidate.

    Args:
        genome: of a network that was never proposed before.
        parents: indices of the candidates it was bred from; none where it was drawn.
        operator: how it was made, one word for the record, e.g. "mutation".
        predicted: objective column -> the value that was expected in the column's own unit and sign, and under
            `f"{column}.std"` its standard deviation. For people: it is recorded and never compared.
    """

    genome: Genome
    parents: tuple[int, ...]
    operator: str
    predicted: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What a candidate reached at a rung.

    Args:
        index: of the candidate.
        fitness: at the rung, minimised and finite; no values where the candidate was over a limit before training.
        metrics: column -> value of all that was known by then, in the columns' own units and signs; costs that were
            known before training included. Shared with the record: not to be changed.
    """

    index: int
    fitness: Fitness
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Survivor:
    """A member of a population.

    Args:
        index: of the candidate.
        rank: 0 is the best.
        crowding: distance in the normalised objectives, inf at the ends of a front; nan where the selection has none.
    """

    index: int
    rank: int
    crowding: float


class Selection(Protocol):
    """A population as it grows: what generation files record of a strategy."""

    def add(self, fitness: Fitness) -> None:
        """Take in the next candidate that was evaluated and has not failed.

        Args:
            fitness: the last one known of it. Each candidate comes once, by index; in async mode, by arrival.
        """

    def members(self) -> list[Survivor]:
        """The population after what was added so far.

        Returns:
            Its members, best first.
        """


class Strategy(Protocol):
    """Constructed as `STRATEGIES[kind](problem, **options)`; options are its keyword-only parameters.

    A class that inherits from this one has the default of `exact`.
    """

    exact: ClassVar[bool] = True
    """Whether the same reports give the same genomes on every machine. False, for example, of a model that is fitted in
    floating point: `evonas verify` then checks what was recorded and does not breed again."""

    def ask(self, index: int) -> Proposal:
        """Propose a genome. Asking changes nothing: asked again, the answer is the same.

        Args:
            index: of the candidate that it is for.

        Returns:
            A genome that is new in the whole history.

        Raises:
            Exhausted: there is none.
        """

    def register(self, index: int, genome: Genome) -> None:
        """Learn that a candidate exists. Called once for each, asked for now or recorded earlier.

        Args:
            index: of the candidate; they come in order.
            genome: of it, which is not new any more.
        """

    def tell(self, report: Report) -> None:
        """Learn what a candidate reached at a rung; a later report of the same candidate replaces it.

        Args:
            report: of a candidate that is registered.
        """

    def tell_failed(self, index: int) -> None:
        """Learn that a candidate failed; whatever was told of it no longer counts.

        Args:
            index: of the candidate, of which nothing may have been told.
        """

    def selection(self) -> Selection:
        """How the record's populations are chosen.

        Returns:
            A new, empty selection, independent of what the strategy was told.
        """
