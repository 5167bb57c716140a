"""A policy over genes: for each gene a softmax over its values, that moves by policy gradients.

The logits are a weighted sum of one table of numbers an objective, so that a draw of weights is a draw of a trade-off
and one policy covers a front. In float64, gene by gene and without a linear algebra library, and rounded after each
step, so that a search is replayed on another machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evonas.spaces.space import Gene

Array = NDArray[np.float64]
PLACES = 9
"""Decimal places that are kept."""
CLIP = (0.8, 1.2)
"""Between what an off-policy weight is held (Schulman et al. 2017)."""
DECAYS = (0.9, 0.999)
"""Of Adam (Kingma & Ba 2015)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A candidate that was drawn.

    Args:
        chosen: its genes, one-hot; an inactive gene has none. Shape (values of all genes,).
        active: 1 for each value of an active gene, shape as `chosen`.
        weights: of the objectives when it was drawn, shape (objectives,).
        advantage: how much better than others it was, -1 to 1.
        chance: log probability of its active genes when it was told of.
    """

    chosen: Array
    active: Array
    weights: Array
    advantage: float
    chance: float


@dataclass(frozen=True, slots=True)
class Policy:
    """tables: shape (objectives, values of all genes); first, second: moments of Adam; steps: taken so far."""

    tables: Array
    first: Array
    second: Array
    steps: int = 0


class Genes:
    """The places of genes in a table.

    Args:
        genes: of the space.
        objectives: how many there are.
    """

    def __init__(self, genes: Sequence[Gene], objectives: int) -> None:
        self._sizes = [gene.size for gene in genes]
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        self._count, self._objectives = sum(self._sizes), objectives

    def start(self) -> Policy:
        """The policy that draws all values alike."""
        nothing = np.zeros((self._objectives, self._count))
        return Policy(nothing, nothing, nothing)

    def one_hot(self, genome: Sequence[int], active: Sequence[bool]) -> tuple[Array, Array]:
        """`chosen` and `active` of a `Sample`."""
        on = np.repeat(np.array(active, dtype=np.float64), self._sizes)
        chosen = np.zeros(self._count)
        chosen[self._starts + np.array(genome)] = 1
        return chosen * on, on

    def chances(self, policy: Policy, weights: Array) -> Array:
        """Probabilities of all values.

        Args:
            policy: by which they are drawn.
            weights: shape (draws, objectives).

        Returns:
            Shape (draws, values of all genes).
        """
        logits = (weights[:, :, None] * policy.tables).sum(1)
        raised = np.exp(logits - self._spread(np.maximum.reduceat(logits, self._starts, axis=1)))
        chances: Array = raised / self._spread(np.add.reduceat(raised, self._starts, axis=1))
        return chances

    def drawn(self, policy: Policy, weights: Array, rng: np.random.Generator) -> tuple[int, ...]:
        """A genome; one draw of `rng` a gene."""
        chances = np.split(self.chances(policy, weights[None])[0], self._starts[1:])
        draws = rng.random(len(self._sizes))
        return tuple(int((np.cumsum(own)[:-1] <= draw).sum()) for own, draw in zip(chances, draws, strict=True))

    def log_chance(self, policy: Policy, chosen: Array, weights: Array) -> float:
        """Log probability of what was chosen."""
        return float((chosen * np.log(self.chances(policy, weights[None])[0])).sum())

    def stepped(self, policy: Policy, samples: Sequence[Sample], rate: float, entropy: float) -> Policy:
        """One step of Adam up the advantage of samples, and their entropy.

        Args:
            policy: before.
            samples: of which each counts by how much more likely it is now than it was, within `CLIP`.
            rate: of learning.
            entropy: what a nat of it is worth.
        """
        weights, chosen = np.array([one.weights for one in samples]), np.array([one.chosen for one in samples])
        active = np.array([one.active for one in samples])
        chances = self.chances(policy, weights)
        logs = np.log(chances)
        now = (chosen * logs).sum(1)
        ratios = np.exp(np.clip(now - [sample.chance for sample in samples], *np.log(CLIP)))
        worth = ratios * [sample.advantage for sample in samples]
        nats = -self._spread(np.add.reduceat(chances * logs, self._starts, axis=1))
        upwards = worth[:, None] * (chosen - chances * active) - entropy * active * chances * (logs + nats)
        return _adam(policy, (weights[:, :, None] * upwards[:, None, :]).mean(0), rate)

    def _spread(self, of_genes: Array) -> Array:
        """What is one number a gene, for each value."""
        return np.repeat(of_genes, self._sizes, axis=1)


def _adam(policy: Policy, gradient: Array, rate: float) -> Policy:
    a, b = DECAYS
    steps = policy.steps + 1
    first = np.round(a * policy.first + (1 - a) * gradient, 2 * PLACES)
    second = np.round(b * policy.second + (1 - b) * gradient**2, 2 * PLACES)
    step = first / (1 - a**steps) / (np.sqrt(second / (1 - b**steps)) + 1e-8)
    return Policy(np.round(policy.tables + rate * step, PLACES), first, second, steps)
