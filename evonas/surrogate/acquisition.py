"""Which of many networks is worth a training: by how much of the hypervolume it is expected to add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import moocore
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from evonas.objectives.gain import REFERENCE, worths
from evonas.objectives.objectives import Limit, Objective
from evonas.records import Fitness, Genome
from evonas.spaces.space import Space
from evonas.surrogate.embedding import Embedding
from evonas.surrogate.rungs import ends
from evonas.surrogate.surrogate import FEWEST, MOST, OPTIMISM, Known, Surrogate

Matrix = NDArray[np.float64]
LIKELY = 0.5
"""The chance of keeping the limits from which on a network counts as one that does, as long as few are trained."""


@dataclass(frozen=True, slots=True)
class Told:
    """A candidate of which something is known: its genome, fitness, metrics by column, and rung -> the values of its
    objectives there, of all rungs that it was told of."""

    genome: Genome
    fitness: Fitness
    metrics: Mapping[str, float]
    reached: Mapping[int, Sequence[float]] = field(default_factory=dict)


class Acquisition:
    """Hypervolume improvement of mean - 0.5 deviation, times the chance that the limits hold.

    Each objective and each limit has a surrogate of its own. Volume is of the logarithmic scale of what training gives
    and of costs in their own unit, normalised by the front: by logarithms of two costs or more, nearly all volume would
    lie among the smallest networks. Networks that are in work are believed to become what is expected of them (a
    sequential "kriging believer", Ginsbourger et al. 2010).

    Args:
        space: of the genomes.
        objectives: in the order of `Fitness.values`.
        limits: of the search.
        most: networks that a surrogate is made of at most: the best ones, level by level.
    """

    def __init__(
        self, space: Space, objectives: Sequence[Objective], limits: Sequence[Limit], most: int = MOST
    ) -> None:
        self._embedding = embedding = Embedding(space)
        self._objectives, self._limits, self._most = objectives, limits, most
        self._values = [Surrogate(embedding, objective.trained, most) for objective in objectives]
        self._bounded = [Surrogate(embedding, limit.trained, most) for limit in limits]
        self._sure: list[bool] = [False] * len(limits)
        self._front: Matrix = np.empty((0, len(objectives)))
        self._low = self._span = np.empty(0)
        self.of_limits = False
        """Whether scores are of the limits alone, because too few networks are trained to expect anything else."""

    def learn(self, told: Sequence[Told]) -> bool:
        """Take in all that is known.

        Args:
            told: in index order.

        Returns:
            Whether that is enough to predict by.
        """
        for place, limit in enumerate(self._limits):
            self._learn_limit(place, limit, told)
        able = [one for one in told if one.fitness.values]
        self.of_limits = len(able) < FEWEST
        if self.of_limits:
            return not all(self._sure)
        known = [self._known(place, able) for place in range(len(self._values))]
        values = np.array([one.values for one in known]).T
        near = self._near(values)
        for place, (surrogate, one) in enumerate(zip(self._values, known, strict=True)):
            surrogate.learn(*self._measured(place, one, near, told))
        feasible = [i for i, one in enumerate(able) if one.fitness.violation == 0]
        placed = self._placed([one.scale.scaled(values[:, i]) for i, one in enumerate(self._values)])
        front = _front(placed[feasible])
        self._low = front.min(0) if len(front) else placed.min(0)
        spans, all_spans = np.ptp(front, axis=0) if len(front) else 0 * self._low, np.ptp(placed, axis=0)
        self._span = np.where(spans > 0, spans, np.where(all_spans > 0, all_spans, 1.0))
        self._front = (front - self._low) / self._span
        return True

    def scores(self, genomes: Sequence[Genome], pending: Sequence[Genome]) -> Matrix:
        """How much each of some networks is worth.

        Args:
            genomes: of the space.
            pending: of the networks in work.

        Returns:
            Shape (genomes,), more is better; below 0 where no gain is expected, by how far that is. `of_limits`: the
            chance that the limits hold, and 1 where it is `LIKELY`.
        """
        points = self._embedding.points([*genomes, *pending])
        chance = self._chances(points[: len(genomes)])
        if self.of_limits:
            chance = np.round(chance, 9)
            return np.where(chance >= LIKELY, 1.0, chance)
        if not len(self._front):
            return np.round(chance, 9)
        hopeful, believed = self._expected(points[: len(genomes)], OPTIMISM), self._expected(points[len(genomes) :], 0)
        front = _front(np.vstack([self._front, believed]))
        return worths(front, hopeful, np.full(len(self._low), REFERENCE), chance)

    def predicted(self, genome: Genome) -> dict[str, float]:
        """What a network is expected to reach, by column in the columns' own units; `NAME.std`: the deviation."""
        found: dict[str, float] = {}
        if self.of_limits:
            return found
        for objective, surrogate in zip(self._objectives, self._values, strict=True):
            mean, deviation = (float(x[0]) for x in surrogate.predict([genome]))
            middle, low, high = surrogate.scale.value(np.array([mean, mean - deviation, mean + deviation])).tolist()
            found |= {objective.key: objective.sign * middle, f"{objective.key}.std": (high - low) / 2}
        return found

    def _expected(self, points: Matrix, optimism: float) -> Matrix:
        """Where networks are expected, so many deviations better, normalised; shape (points, objectives)."""
        if not len(points):
            return np.empty((0, len(self._low)))
        found = [surrogate.at(points) for surrogate in self._values]
        return (self._placed([mean - optimism * deviation for mean, deviation in found]) - self._low) / self._span

    def _placed(self, scaled: Sequence[Matrix]) -> Matrix:
        """Where values count for volume, a column an objective in its scale; shape (networks, objectives)."""
        pairs = zip(self._objectives, self._values, scaled, strict=True)
        return np.array([one if o.trained else surrogate.scale.value(one) for o, surrogate, one in pairs]).T

    def _known(self, place: int, able: Sequence[Told]) -> Known:
        """What is known of an objective; of networks that stopped at a rung, what they would have had in the end."""
        genomes = tuple(one.genome for one in able)
        if not self._objectives[place].trained:
            return Known(genomes, np.array([one.fitness.values[place] for one in able]))
        reached = [{**one.reached, one.fitness.rung: one.fitness.values} for one in able]
        return Known(genomes, *ends([{rung: values[place] for rung, values in one.items()} for one in reached]))

    def _measured(
        self, place: int, known: Known, near: NDArray[np.int64], told: Sequence[Told]
    ) -> tuple[Known, NDArray[np.int64]]:
        """What is known of an objective, and of which places predictions are made. Of a cost, networks over a limit say
        as much as others; where there are too many, those that are least over it count."""
        key, sign = self._objectives[place].key, self._objectives[place].sign
        rows = [one for one in told if one.fitness.values or key in one.metrics]
        if self._objectives[place].trained or len(rows) == len(known.genomes):
            return known, near
        able = np.array([i for i, one in enumerate(rows) if one.fitness.values])
        values = np.array([0.0 if one.fitness.values else sign * one.metrics[key] for one in rows])
        values[able] = known.values
        over = sorted((one.fitness.violation, i) for i, one in enumerate(rows) if not one.fitness.values)
        chosen = [*able[near].tolist(), *(i for _, i in over[: self._most - len(near)])]
        return Known(tuple(one.genome for one in rows), values), np.sort(np.array(chosen))

    def _learn_limit(self, place: int, limit: Limit, told: Sequence[Told]) -> None:
        """A limit that nobody has broken is taken to hold."""
        there = [one for one in told if limit.key in one.metrics]
        values = np.array([limit.sign * one.metrics[limit.key] for one in there])
        self._sure[place] = len(there) < FEWEST or bool((values <= limit.sign * limit.bound).all())
        if not self._sure[place]:
            closest = np.sort(np.argsort(np.abs(values - limit.sign * limit.bound), kind="stable")[: self._most])
            self._bounded[place].learn(Known(tuple(one.genome for one in there), values), closest)

    def _near(self, values: Matrix) -> NDArray[np.int64]:
        """Places of the best, in order."""
        ranks = moocore.pareto_rank(values)
        return np.sort(np.argsort(ranks, kind="stable")[: self._most])

    def _chances(self, points: Matrix) -> Matrix:
        """How likely all limits hold, shape (points,)."""
        chance = np.ones(len(points))
        for limit, surrogate, sure in zip(self._limits, self._bounded, self._sure, strict=True):
            if not sure:
                means, deviations = surrogate.at(points)
                bound = surrogate.scale.scaled(np.array(limit.sign * limit.bound))
                chance *= ndtr((bound - means) / deviations)
        return chance


def _front(points: Matrix) -> Matrix:
    """Those that no other dominates, shape (front, objectives)."""
    best: Matrix = points[moocore.is_nondominated(points, keep_weakly=True)] if len(points) else points
    return best
