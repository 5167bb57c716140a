"""The contract of a strategy: ask for a genome, tell what was reached.

A strategy neither evaluates, stores nor prints. Its state is a function of the births and fitnesses it was told, so
a search is resumed by telling again what was recorded.
"""

from dataclasses import dataclass
from typing import Protocol

from evonas.records import Fitness, Genome


class Exhausted(Exception):
    """The space holds no network that has not been proposed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """parents: indices of the candidates it was bred from; none for a random one. operator: how it was bred."""

    genome: Genome
    parents: tuple[int, ...]
    operator: str


class Strategy(Protocol):
    def ask(self, index: int) -> Proposal:
        """A genome for candidate `index`, new in the whole history.

        Raises:
            Exhausted: there is none.
        """

    def register(self, index: int, genome: Genome) -> None:
        """Candidate `index` exists. Told once for every candidate, asked for now or recorded earlier."""

    def tell(self, fitness: Fitness) -> None:
        """A candidate reached a rung; a later fitness of the same candidate replaces it. Values are finite."""

    def tell_failed(self, index: int) -> None:
        """A candidate failed; whatever was told of it no longer counts."""
