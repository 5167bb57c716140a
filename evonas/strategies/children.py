"""Many children at once: what `variation` does to one genome, done to a whole pool by a few draws of numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evonas.records import Genome
from evonas.spaces.space import Space
from evonas.strategies.survival import Ranking


@dataclass(frozen=True, slots=True)
class Child:
    """A genome that may be proposed; `parents` and `operator` as of a `Proposal`."""

    genome: Genome
    parents: tuple[int, ...]
    operator: str


class Nursery:
    """Makes pools of children.

    Args:
        space: of the genomes.
        crossover: share of children with two parents.
        mutation: chance of each gene to change.
    """

    def __init__(self, space: Space, crossover: float, mutation: float) -> None:
        self._crossover, self._mutation = crossover, mutation
        self._sizes = np.array([gene.size for gene in space.genes])
        self._ordered = np.array([gene.ordered for gene in space.genes])

    def children(
        self, parents: Ranking, genomes: Sequence[Genome] | dict[int, Genome], count: int, rng: np.random.Generator
    ) -> list[Child]:
        """Breed by binary tournaments, uniform crossover and mutation.

        Args:
            parents: best first.
            genomes: of the candidates, by index.
            count: of children; those that come out alike are one.
            rng: advanced by a number of draws that depends on `count` and the space alone.

        Returns:
            Different genomes, in their order as numbers.
        """
        places = rng.integers(len(parents), size=(count, 2, 2)).min(2)
        pairs = np.array([parents[place] for place in range(len(parents))])[places]
        mothers, fathers = (np.array([genomes[i] for i in pairs[:, side]]) for side in (0, 1))
        both = rng.random(count) < self._crossover
        mixed = np.where(both[:, None] & (rng.random(mothers.shape) < 0.5), fathers, mothers)
        found: dict[Genome, Child] = {}
        for row, pair, two in zip(self._mutated(mixed, rng).tolist(), pairs.tolist(), both.tolist(), strict=True):
            family = tuple(pair) if two else (pair[0],)
            genome = tuple(row)
            found.setdefault(genome, Child(genome, family, "crossover+mutation" if two else "mutation"))
        return [found[genome] for genome in sorted(found)]

    def _mutated(self, genomes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An ordered gene by one step, any other to another value."""
        changes = (rng.random(genomes.shape) < self._mutation) & (self._sizes > 1)
        up = (rng.random(genomes.shape) < 0.5) | (genomes == 0)
        up &= genomes < self._sizes - 1
        stepped = genomes + np.where(up, 1, -1)
        others = np.maximum(self._sizes - 1, 1)
        jumped = (genomes + 1 + (rng.random(genomes.shape) * others).astype(int)) % self._sizes
        return np.where(changes, np.where(self._ordered, stepped, jumped), genomes)
