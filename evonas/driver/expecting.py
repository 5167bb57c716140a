"""What is expected of a candidate at its birth, for the decision before training.

A function of the births and of what was visible, as a strategy is: so it is the same on any number of workers, after
any crash, and when a run is verified.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from evonas.config import SUPERNET, Config
from evonas.config.training import BeforeConfig
from evonas.did_you_mean import unknown
from evonas.driver.reorder_buffer import View
from evonas.driver.standing_in import StandingIn
from evonas.errors import UserError
from evonas.objectives.metrics import AGGREGATE
from evonas.objectives.objectives import Objectives
from evonas.records import Before, Genome
from evonas.seeding import stream
from evonas.spaces.space import Space
from evonas.strategies import Report
from evonas.surrogate import FEWEST, scale_of
from evonas.surrogate.stand_ins import STAND_INS
from evonas.surrogate.surrogate import OPTIMISM

JUDGED = 10
"""Births with a gain before their quantile is what is needed; until then it is any gain."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that is expected; limits: sign (1: at most, -1: at least) and bound of each limit on it."""

    key: str
    sign: int
    limits: tuple[tuple[int, float], ...]


class Expecting:
    """Keeps what training gave, and says what it would give.

    Args:
        config: the section `training.before`.
        seed: of the search.
        space: of the genomes.
        objectives: of the search.
        last: the rung of full training.

    Raises:
        UserError: there is no such stand-in, or it is none.
        Halted: what makes it raises.
    """

    def __init__(self, config: BeforeConfig, seed: int, space: Space, objectives: Objectives, last: int) -> None:
        self._config, self._seed, self._objectives, self._last = config, seed, objectives, last
        self._metric = config.kind if objectives.by_metric else ""
        self._guessed = objectives.by_metric or objectives.by_scores or objectives.by_supernet
        self._rule = config.rule or ("cutoff" if self._guessed else "gain")
        if self._guessed and not self._metric and config.kind in STAND_INS:
            what = "ranks of scores" if objectives.by_scores else "inherited weights"
            raise UserError(f"STAND_INS[{config.kind!r}]: training.before has this name for {what}; rename it")
        if not self._guessed and config.kind not in STAND_INS:
            known = unknown(config.kind, [*STAND_INS, AGGREGATE, SUPERNET])
            raise UserError(f"training.before: {known}, or a metric of the untrained network")
        if self._guessed and self._rule == "gain":
            other = "with inherited weights it is another number"
            why = other if objectives.by_supernet else f"{config.kind} is not in its unit"
            raise UserError(f"training.before: rule: gain needs what training would give, and {why}; leave rule out")
        self._columns = [] if self._guessed else _columns(objectives)
        self._stand_ins = {one.key: StandingIn(config.kind, space, one.key, one.sign) for one in self._columns}
        self._reached: dict[int, Report] = {}

    def try_out(self, space: Space) -> None:
        """Look whether something can be expected, before anything is trained.

        Args:
            space: of the genomes.

        Raises:
            UserError: nothing hangs on training, or a stand-in does not say what it should.
            Halted: a stand-in raises.
        """
        if not (any(one.trained for one in self._objectives.objectives) if self._guessed else self._columns):
            raise UserError(
                f"training.before: {self._config.kind} stands in for what training gives, and no objective is that; "
                "take 0 out of training.rungs, or make a metric of the task an objective"
            )
        for stand_in in self._stand_ins.values():
            stand_in.try_out(space)

    def tell(self, report: Report) -> None:
        """Learn what a candidate reached."""
        if report.fitness.rung == self._last and report.fitness.values:
            self._reached[report.index] = report

    def tell_failed(self, index: int) -> None:
        """Learn that a candidate failed."""
        self._reached.pop(index, None)

    def before(self, index: int, genome: Genome, genomes: Sequence[Genome], view: View) -> Before:
        """What travels with a job.

        Args:
            index: of the candidate.
            genome: of it.
            genomes: of all candidates by index.
            view: what it sees.
        """
        always = bool(stream(self._seed, "always", index).random() < self._config.always)
        if self._metric:
            return Before(self._rule, self._metric, always=always)
        if self._guessed:
            return Before(self._rule, always=always, scores=view.scores)
        if len(self._reached) < FEWEST:
            return Before(self._rule, always=always)
        expected, hopeful, chance = self._expected(genome, genomes)
        front = tuple(fitness.values for fitness in (*view.front, *view.believed) if not fitness.violation)
        return Before(
            self._rule, "", expected, hopeful, chance, self._scales(), front, self._threshold(view.gains), always
        )

    def _expected(
        self, genome: Genome, genomes: Sequence[Genome]
    ) -> tuple[Mapping[str, float], Mapping[str, float], float]:
        known = [genomes[index] for index in sorted(self._reached)]
        expected, hopeful, chance = {}, {}, 1.0
        for one in self._columns:
            values = np.array([one.sign * self._reached[i].metrics[one.key] for i in sorted(self._reached)])
            mean, low = (float(found[0]) for found in self._stand_ins[one.key](known, values, [genome]))
            expected[one.key], hopeful[one.key] = one.sign * mean, one.sign * low
            deviation = max((mean - low) / OPTIMISM, 1e-9 * (abs(mean) or 1.0))
            for sign, bound in one.limits:
                chance *= float(ndtr(sign * (bound - one.sign * mean) / deviation))
        return expected, hopeful, round(chance, 9)

    def _scales(self) -> tuple[tuple[float, float] | None, ...]:
        values = np.array([report.fitness.values for report in self._reached.values()])
        several = sum(not one.trained for one in self._objectives.objectives) > 1
        logarithms = (self._config.costs or ("unit" if several else "logarithm")) == "logarithm"
        scales = [
            scale_of(values[:, i], one.trained) if one.trained or logarithms else None
            for i, one in enumerate(self._objectives.objectives)
        ]
        return tuple(None if scale is None else (scale.offset, scale.least) for scale in scales)

    def _threshold(self, gains: Sequence[float]) -> float:
        if len(gains) < JUDGED:
            return 0.0
        return float(np.quantile(gains, 1 - self._config.promote, method="higher"))


def expecting_of(config: Config, space: Space, objectives: Objectives) -> Expecting | None:
    """What decides before training in a search; None where nothing does.

    Args:
        config: of the search.
        space: of the genomes.
        objectives: of the search.

    Raises:
        UserError, Halted: as of `Expecting`.
    """
    if not objectives.before:
        return None
    return Expecting(objectives.before, config.seed, space, objectives, len(config.training.milestones) - 1)


def _columns(objectives: Objectives) -> list[_Column]:
    signs = {limit.key: limit.sign for limit in objectives.limits if limit.trained}
    signs |= {objective.key: objective.sign for objective in objectives.objectives if objective.trained}
    limits = {key: tuple((one.sign, one.bound) for one in objectives.limits if one.key == key) for key in signs}
    return [_Column(key, sign, limits[key]) for key, sign in signs.items()]
