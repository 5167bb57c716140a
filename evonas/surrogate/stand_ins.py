"""What stands in for training at rung 0. To add one: a function here or in your own module, and a line in STAND_INS."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from evonas.records import Genome
from evonas.spaces.space import Space
from evonas.surrogate.embedding import Embedding
from evonas.surrogate.surrogate import OPTIMISM, Known, Surrogate

Vector = NDArray[np.float64]

StandIn = Callable[[Sequence[Genome], Vector, Sequence[Genome]], tuple[Vector, Vector]]
"""(genomes that were trained, in index order; what each reached, minimised, shape (n,); genomes, of which nothing is
known) -> what these are expected to reach, and what they may well reach, half a standard deviation better; both
minimised, shape (genomes,).

A function of its arguments alone: a search is replayed with it. Two finite numbers a genome, or the search stops with a
line; it is tried on made-up rows at the start."""


class Process:
    """A Gaussian process on genes.

    Args:
        space: of the genomes.
    """

    def __init__(self, space: Space) -> None:
        self._surrogate = Surrogate(Embedding(space), trained=True)
        self._learnt: tuple[int, bytes] | None = None

    def __call__(self, known: Sequence[Genome], values: Vector, asked: Sequence[Genome]) -> tuple[Vector, Vector]:
        if self._learnt != (data := (len(known), values.tobytes())):
            self._surrogate.learn(Known(tuple(known), values), np.argsort(values, kind="stable")[:400])
            self._learnt = data
        means, deviations = self._surrogate.predict(asked)
        value = self._surrogate.scale.value
        return value(means), value(means - OPTIMISM * deviations)


STAND_INS: dict[str, Callable[[Space], StandIn]] = {"surrogate": Process}
"""`training.before` -> what makes a stand-in for one column of one search; a function of your own:
`STAND_INS["mine"] = lambda space: my_function`."""
