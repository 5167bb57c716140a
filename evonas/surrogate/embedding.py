"""Genomes as points whose squared distances are what a kernel compares: one part a gene, and one an operation.

Of an unordered gene two values are 1 apart, of an ordered one their steps as a share of the most there can be. An
inactive gene has one value, whatever it holds. Beside them stands how often each operation occurs among the unordered
genes of one size: networks with the same operations at other places are alike, which the genes alone do not say.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evonas.records import Genome
from evonas.spaces.space import Gene, Space

Matrix = NDArray[np.float64]
REMEMBERED = 50_000
"""Genomes whose points are kept; children of one population come again and again."""


class Embedding:
    """Points of the genomes of a space.

    Args:
        space: of the genomes.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._tables = [_table(gene).tolist() for gene in space.genes]
        self._groups = _groups(space.genes)
        widths = [len(table[0]) for table in self._tables]
        widths += [1] * sum(space.genes[group[0]].size for group in self._groups)
        self.parts = np.repeat(np.arange(len(widths)), widths)
        """The part that each column belongs to, shape (columns,)."""
        self._known: dict[Genome, list[float]] = {}

    @property
    def count(self) -> int:
        """How many parts there are."""
        return int(self.parts[-1]) + 1

    def points(self, genomes: Sequence[Genome]) -> Matrix:
        """The points of genomes.

        Args:
            genomes: of the space; inactive genes may hold anything.

        Returns:
            Shape (genomes, columns).
        """
        if len(self._known) > REMEMBERED:
            self._known.clear()
        return np.array([self._known.get(genome) or self._added(genome) for genome in genomes], dtype=np.float64)

    def _added(self, genome: Genome) -> list[float]:
        point = self._point(genome)
        self._known[genome] = point
        return point

    def _point(self, genome: Genome) -> list[float]:
        active = self._space.active(genome)
        values = [value if on else -1 for value, on in zip(genome, active, strict=True)]
        point = [x for table, value in zip(self._tables, values, strict=True) for x in table[value]]
        for group in self._groups:
            counts = [0.0] * self._space.genes[group[0]].size
            for place in group:
                if values[place] >= 0:
                    counts[values[place]] += 2 / len(group) ** 0.5
            point += counts
        return point


def _table(gene: Gene) -> Matrix:
    """Value -> its columns; in the last row those of an inactive gene."""
    if not gene.ordered or gene.size == 1:
        return np.eye(gene.size + 1) / 2**0.5
    steps = np.tri(gene.size, gene.size - 1, -1) / (gene.size - 1) ** 0.5
    inactive = np.full((1, gene.size - 1), 0.5 / (gene.size - 1) ** 0.5)
    flag = np.zeros((gene.size + 1, 1))
    flag[-1] = 0.5**0.5
    return np.hstack([np.vstack([steps, inactive]), flag])


def _groups(genes: Sequence[Gene]) -> list[list[int]]:
    """Places of the unordered genes of one size, where there are several."""
    sizes = sorted({gene.size for gene in genes if not gene.ordered and gene.size > 1})
    groups = [[i for i, gene in enumerate(genes) if not gene.ordered and gene.size == size] for size in sizes]
    return [group for group in groups if len(group) > 1]
