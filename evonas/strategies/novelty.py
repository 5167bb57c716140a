"""Every genome is new in the whole history, not only in the population."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from evonas.records import Genome
from evonas.spaces.space import Space
from evonas.strategies.strategy import Exhausted

ENUMERABLE = 200_000
"""Spaces up to this size are searched to their last network; larger ones until random draws find nothing new."""
REMEMBERED = 50_000
"""Genomes of pools whose identity is kept."""


class Novelty:
    """Which networks of a space have been proposed.

    Args:
        space: says which genomes build the same network.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen: set[str] = set()
        self._unseen: dict[str, Genome] | None = None
        self._last: tuple[Genome, str] | None = None  # the new one that was found last, which is added next
        self._identities: dict[Genome, str] = {}  # of pools, whose genomes come again and again

    def add(self, genome: Genome) -> None:
        """Note that the network of a genome has been proposed."""
        identity = self._last[1] if self._last and self._last[0] == genome else self._space.identity(genome)
        self._seen.add(identity)
        if self._unseen is not None:
            self._unseen.pop(identity, None)

    def new(self, genomes: Sequence[Genome]) -> list[bool]:
        """Which of some genomes build networks that were not proposed before."""
        return [self._identity(genome) not in self._seen for genome in genomes]

    def first_new(self, draw: Callable[[], Genome], tries: int) -> Genome | None:
        """Draw until a genome is new.

        Args:
            draw: gives a genome.
            tries: draws at most.

        Returns:
            The first that builds a network which was not proposed before; None where no draw does.
        """
        for _ in range(tries):
            genome = draw()
            identity = self._space.identity(genome)
            if identity not in self._seen:
                self._last = genome, identity
                return genome
        return None

    def sample(self, rng: np.random.Generator) -> Genome:
        """Draw a random new genome.

        Args:
            rng: advanced by the draws that are needed.

        Returns:
            A genome, uniform over the new ones of a small space that is nearly used up.

        Raises:
            Exhausted: every network of the space was proposed, or a large space yields none in 2,000 draws.
        """
        genome = self.first_new(lambda: self._space.sample(rng), tries=2_000)
        if genome is not None:
            return genome
        if self._space.size() > ENUMERABLE:
            raise Exhausted("2,000 random draws gave no new network")
        if self._unseen is None:
            everything = {self._space.identity(genome): genome for genome in self._space.genomes()}
            self._unseen = {name: g for name, g in everything.items() if name not in self._seen}
        if not self._unseen:
            raise Exhausted(f"all {len(self._seen):,} different networks of the space were evaluated")
        return list(self._unseen.values())[rng.integers(len(self._unseen))]

    def apart(self, rng: np.random.Generator, there: Iterable[Genome], draws: int) -> Genome:
        """A random new genome that is far from others: max-min distance (Johnson, Moore & Ylvisaker 1990).

        Args:
            rng: advanced by the draws that are needed.
            there: the others.
            draws: of which the one is taken that differs in most genes from all others; of equals, the first.

        Returns:
            It.

        Raises:
            Exhausted: as of `sample`.
        """
        drawn = [self.sample(rng) for _ in range(draws)]
        others = np.array([self._space.canonical(genome) for genome in there])
        if not len(others) or draws == 1:
            return drawn[0]
        nearest = [(others != self._space.canonical(genome)).sum(1).min() for genome in drawn]
        return drawn[int(np.argmax(nearest))]

    def _identity(self, genome: Genome) -> str:
        if genome not in self._identities:
            if len(self._identities) > REMEMBERED:
                self._identities.clear()
            self._identities[genome] = self._space.identity(genome)
        return self._identities[genome]
