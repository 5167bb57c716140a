"""Which reports a candidate may see when it is bred: the reorder buffer between runtime and strategy.

- window: what candidate i reached at rung r is visible to candidate j if and only if i <= j - lookahead_r. The
  search is then the same for any number of workers, any timing and any crash, and nothing is biased toward
  candidates that finish early. Each rung has its own window: one alone would make everybody wait for the longest
  trainings.
- generation: candidate j sees every candidate of the generations before its own (the classic barrier).
- async: candidate j sees whatever has been evaluated when it is bred; its `visible` says how much.

The rules themselves are in `orders`. Knows nothing of genomes, networks or files.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evonas.config import Config
from evonas.driver.ranked_scores import RankedScores
from evonas.driver.visibility import ORDERS
from evonas.objectives import pareto
from evonas.objectives.levels import RungCutoff
from evonas.objectives.objectives import BEFORE, Objectives
from evonas.objectives.promotion import promoted_to
from evonas.objectives.score_ranks import Columns
from evonas.records import Evaluation, Fitness, RungReport, Status
from evonas.strategies import Report

RECENT = 50
"""Births by whose gains the next one is judged at rung 0."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Candidate `index` failed, or was stopped before training: what was told of it does not count any more."""

    index: int


@dataclass(frozen=True, slots=True)
class View:
    """What becomes known to a candidate at its birth.

    Args:
        visible: number of candidates whose reports at the first rung it sees.
        news: what became visible since the birth before, in a fixed order.
        cutoffs: by rung before the last, the fitnesses that a candidate must not be dominated by to go on.
        front: of the fully trained candidates that it sees.
        gains: of the last candidates whose rung 0 it sees, what each was expected to add; none without rung 0.
        believed: fitnesses, as expected at rung 0, of those that passed it and are neither known at the end nor stopped
            or paused.
        scores: where ranks of scores stand in for training at rung 0: of each score, those that it sees, ascending.
    """

    visible: int
    news: tuple[Report | Failed, ...]
    cutoffs: tuple[tuple[Fitness, ...], ...]
    front: tuple[Fitness, ...]
    gains: tuple[float, ...] = ()
    believed: tuple[Fitness, ...] = ()
    scores: Columns = ()


class ReorderBuffer:
    """Fitnesses by rung, made visible in a fixed order. Rungs are numbered 0 .. R-1; the last is full training.

    Args:
        config: gives the order, the rungs and the share that passes one.
        objectives: make fitnesses of metrics.
    """

    def __init__(self, config: Config, objectives: Objectives) -> None:
        self.rungs = len(config.training.milestones)
        self._rule = ORDERS[config.schedule.mode](config)
        self._objectives = objectives
        self._at: list[dict[int, Fitness | None]] = [{} for _ in range(self.rungs)]
        self._metrics: list[dict[int, Mapping[str, float]]] = [{} for _ in range(self.rungs)]  # until they are seen
        self._settled: dict[int, int] = {}  # candidate -> rungs it has reached or will never reach
        self._prefix = [0] * self.rungs  # leading candidates settled at each rung
        self._told = [0] * self.rungs
        self._pauses = config.training.stopping == "pause"
        self._cutoffs = [RungCutoff(config.training.promote) for _ in range(self.rungs - 1)]
        self._front: tuple[Fitness, ...] = ()
        self.front: list[Fitness] = []
        """Of all that are fully trained by now, by index; what a candidate sees of it is in its `View`."""
        self.order: list[int] = []
        """Evaluated candidates in the order that counts: by index, or by arrival in async mode."""
        self._arrived: set[int] = set()
        before = objectives.before
        if before:
            self._cutoffs[0] = RungCutoff(before.promote)
        self._ranked = RankedScores(before.promote, objectives) if before and objectives.by_scores else None
        self._begun: list[int] | None = [] if before else None  # passed rung 0, in order
        self._untrained: set[int] = set()  # stopped there
        self._promoted: set[int] = set()  # who train on a network that passed it
        self._gains: deque[float] = deque(maxlen=RECENT)
        self._believed: dict[int, Fitness] = {}

    def add_report(self, report: RungReport) -> None:
        """Take in that a candidate passed a rung and trains on."""
        self._keep(report)
        if report.rung == 0:
            self._begin(report.index)
        self._settle(report.index, report.rung + 1)

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Take in a candidate's final result. What it reached before stands as it was told."""
        index, due = evaluation.candidate.index, len(evaluation.rungs)
        begins = promoted_to(evaluation.candidate) or 0  # what it was promoted with is known of its parent
        for report in evaluation.rungs[begins:]:
            if index not in self._at[report.rung]:
                self._keep(report if report.index == index else replace(report, index=index))
        due = max(due, begins)
        if begins:
            self._promoted.add(index)
        if self._begun is not None and due == 1 and evaluation.status is Status.STOPPED:
            self._untrained.add(index)
        elif due:
            self._begin(index)
        if evaluation.status.failed:
            self._at[min(due, self.rungs - 1)][index] = None
        elif due == 0:
            self._keep(RungReport(index, 0, evaluation.metrics))
        if (last := self._at[-1].get(index)) is not None and last.values:
            self.front = sorted(pareto.extended(self.front, [last]), key=lambda fitness: fitness.index)
        self._settle(index, self.rungs)
        self._arrived.add(index)
        self._rule.extend(self.order, self._arrived)

    def promoted(self, index: int, rung: int) -> None:
        """Take in that a candidate is the promotion of another: it reports at a rung, and at none before. In windows
        behind rung 0 it counts as one that passed it, for it trains as they do."""
        self._promoted.add(index)
        self._begin(index)
        self._settle(index, rung)

    @property
    def trained(self) -> int | None:
        """How many networks have passed rung 0 by now; None in a search without one."""
        return None if self._begun is None else len(self._begun) - len(self._promoted)

    @property
    def decided(self) -> int:
        """Of how many candidates it is known whether they passed the first rung."""
        return len(self._settled)

    def ready(self, index: int) -> bool:
        """Whether all that candidate `index` is to see has happened."""
        return self._rule.ready(index, self._prefix, self._begun)

    def view(self, index: int, visible: int | None = None) -> View:
        """What a candidate sees; to be asked once a candidate, in index order.

        Args:
            index: of the candidate that is bred.
            visible: of a recorded candidate, how much it saw, which async mode needs; None for one that is bred now.
        """
        evaluated = len(self.order) if visible is None else visible
        horizons = [self._rule.horizon(index, rung, evaluated, self._begun) for rung in range(self.rungs)]
        news: list[Report | Failed] = []
        for rung, horizon in enumerate(horizons):
            if rung == self.rungs - 1:  # known at the end, however they ended
                for decided in self._rule.sequence(self._told[rung], horizon, self.order):
                    self._believed.pop(decided, None)
            before, new = rung == 0 and self._begun is not None, [*self._news(rung, horizon)]
            if before and self._ranked:
                self._ranked.add([one for one in new if isinstance(one, Report)])
            elif rung < self.rungs - 1 and (before or not self._pauses):
                self._cutoffs[rung].add(_valued(new))
            news += self._expected(new) if before else new
        finals = [fitness for fitness in _valued(news) if fitness.rung == self.rungs - 1]
        if finals:  # a front of a front and what is new: fitnesses at one rung never change
            self._front = tuple(pareto.extended(self._front, finals))
        cutoffs = [cutoff.fitnesses for cutoff in self._cutoffs]
        if self._ranked:
            cutoffs[0] = self._ranked.fitnesses
        return View(
            horizons[0],
            tuple(news),
            tuple(cutoffs),
            self._front,
            tuple(self._gains),
            tuple(self._believed.values()),
            self._ranked.columns if self._ranked else (),
        )

    def final(self, indices: Sequence[int]) -> list[Fitness]:
        """The last fitness of each candidate that has not failed."""
        fitnesses = (self._last(index) for index in indices)
        return [s for s in fitnesses if s is not None]

    def fully_trained(self, indices: Sequence[int]) -> list[Fitness]:
        """The fitnesses at the last rung: those that may be on the front of a run."""
        last = self._at[-1]
        return [s for i in indices if (s := last.get(i)) is not None and s.values]

    def _keep(self, report: RungReport) -> None:
        self._at[report.rung][report.index] = self._objectives.fitness(report)
        self._metrics[report.rung][report.index] = report.metrics

    def _news(self, rung: int, horizon: int) -> Iterator[Report | Failed]:
        """What becomes visible at a rung, each once; its metrics are not needed any more then."""
        for index in self._rule.sequence(self._told[rung], horizon, self.order):
            if index in self._at[rung]:
                fitness, metrics = self._at[rung][index], self._metrics[rung].pop(index, {})
                yield Failed(index) if fitness is None else Report(index, fitness, metrics)
        self._told[rung] = max(self._told[rung], horizon)

    def _expected(self, news: Iterable[Report | Failed]) -> list[Report | Failed]:
        """Rung 0 is expected and not reached: nobody is told of it, but that some will never be trained."""
        told: list[Report | Failed] = []
        for one in news:
            if isinstance(one, Failed) or (one.fitness.violation and not one.fitness.values):
                told.append(one)
                continue
            if (gain := one.metrics.get(BEFORE + "gain")) is not None:
                self._gains.append(gain)
            if one.index in self._untrained:
                told.append(Failed(one.index))
                continue
            if one.fitness.values:
                self._believed[one.index] = one.fitness
        return told

    def _begin(self, index: int) -> None:
        if self._begun is None:
            return
        place = bisect_left(self._begun, index)
        if self._begun[place : place + 1] != [index]:
            self._begun.insert(place, index)

    def _last(self, index: int) -> Fitness | None:
        if index in self._untrained:
            return None
        known = [at[index] for at in self._at if index in at]
        return known[-1] if known else None

    def _settle(self, index: int, rungs: int) -> None:
        self._settled[index] = max(rungs, self._settled.get(index, 0))
        for rung in range(self.rungs):
            while self._settled.get(self._prefix[rung], 0) > rung:
                self._prefix[rung] += 1


def _valued(news: Iterable[Report | Failed]) -> list[Fitness]:
    """The fitnesses that can be compared: of those neither failed nor infeasible before training."""
    return [one.fitness for one in news if isinstance(one, Report) and one.fitness.values]
