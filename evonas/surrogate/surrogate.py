"""One objective, as a function of a genome: fitted anew as more networks are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evonas.records import Genome
from evonas.surrogate.embedding import Embedding
from evonas.surrogate.gaussian_process import GaussianProcess, Kernel, fit_kernel, pair_distances, standardised
from evonas.surrogate.scales import Scale, scale_of
from evonas.surrogate.threads import one_thread

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
OPTIMISM = 0.5
"""Standard deviations that a network is taken to be better than expected."""
FEWEST = 16
"""Networks that are known before anything is predicted."""
MOST = 400
"""Networks that a model is made of at most: with twice as many it would take eight times as long."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some networks.

    Args:
        genomes: in the order of their candidates' indices.
        values: minimised, shape (n,).
        noises: how many times the noise of a fully trained network each has, shape (n,); default: 1 of each.
    """

    genomes: tuple[Genome, ...]
    values: Vector
    noises: Vector | None = None


class Surrogate:
    """Predicts one minimised value.

    Hyperparameters are those of the first so many networks, a number that grows by a quarter: so they are a function of
    what is known now, and not of when somebody asked.

    Args:
        embedding: of the space.
        trained: whether the value is known only after training.
        most: networks that hyperparameters are fitted to at most: the first ones.
    """

    def __init__(self, embedding: Embedding, trained: bool, most: int = MOST) -> None:
        self._embedding, self._trained, self._most = embedding, trained, most
        self._fitted: tuple[tuple[Genome, ...], bytes] | None = None
        self._kernel: Kernel | None = None
        self._process: GaussianProcess | None = None
        self.scale = Scale(0.0, 1.0)
        """In which predictions are."""

    def learn(self, known: Known, near: NDArray[np.int64] | None = None) -> None:
        """Take in what is known now, `FEWEST` networks or more.

        Args:
            known: all of it; hyperparameters are made of the first ones.
            near: places of those that predictions are made of; default: all.
        """
        count = fitted_of(len(known.genomes), self._most)
        noises = np.ones(len(known.values)) if known.noises is None else known.noises
        hyper = known.values[:count], noises[:count]
        first = known.genomes[:count], b"".join(one.tobytes() for one in hyper)
        self.scale = scale_of(known.values, self._trained)
        chosen = np.arange(len(known.genomes)) if near is None else near
        with one_thread():
            if first != self._fitted:
                self._fitted, self._kernel = first, self._fit(known.genomes[:count], *hyper)
            assert self._kernel
            points = self._embedding.points([known.genomes[i] for i in chosen])
            targets = self.scale.scaled(known.values[chosen])
            self._process = GaussianProcess(self._kernel, self._embedding.parts, points, targets, noises[chosen])

    def predict(self, genomes: Sequence[Genome]) -> tuple[Vector, Vector]:
        """What networks would reach.

        Args:
            genomes: of the space.

        Returns:
            Means and standard deviations in `scale`, shape (genomes,) each.
        """
        return self.at(self._embedding.points(genomes))

    def at(self, points: Matrix) -> tuple[Vector, Vector]:
        """`predict`, of points of the embedding: several surrogates of one space need them made once.

        Args:
            points: shape (m, columns).

        Returns:
            As `predict` does, shape (m,) each.
        """
        assert self._process, "nothing was learnt"
        with one_thread():
            return self._process.predict(points)

    def _fit(self, genomes: Sequence[Genome], values: Vector, noises: Vector) -> Kernel:
        distances = pair_distances(self._embedding.points(genomes), self._embedding.parts)
        return fit_kernel(distances, standardised(scale_of(values, self._trained).scaled(values)), noises)


def fitted_of(count: int, most: int) -> int:
    """Of how many networks the hyperparameters are, where `count` are known and `most` are allowed."""
    number = FEWEST
    while (after := number + max(8, number // 4)) <= min(count, most):
        number = after
    return number
