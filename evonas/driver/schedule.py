"""Which fitnesses a candidate may see when it is bred: the reorder buffer between runtime and strategy.

- window: what candidate i reached at rung r is visible to candidate j if and only if i <= j - lookahead_r. The
  search is then the same for any number of workers, any timing and any crash, and nothing is biased toward
  candidates that finish early. Each rung has its own window: one alone would make everybody wait for the longest
  trainings.
- generation: candidate j sees every candidate of the generations before its own (the classic barrier).
- async: candidate j sees whatever has been evaluated when it is bred; its `visible` says how much.

Knows nothing of genomes, networks or files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evonas.config import Config
from evonas.objectives import pareto
from evonas.objectives.levels import RungCutoff
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Fitness, RungReport


@dataclass(frozen=True, slots=True)
class View:
    """What becomes known to a candidate at its birth.

    news: index and fitness of what became visible since the birth before, in a fixed order; None: it failed.
    """

    visible: int
    news: tuple[tuple[int, Fitness | None], ...]
    cutoffs: tuple[tuple[Fitness, ...], ...]
    front: tuple[Fitness, ...]


def lookaheads(config: Config) -> tuple[int, ...]:
    """The window of each rung, in candidates, from the config alone.

    A rung at epoch e gets lookahead x (1 + 0.75 e / m), where m is the mean number of epochs that a candidate trains.
    """
    training = config.training
    return tuple(int(config.lookahead * (1 + 0.75 * end / training.mean_epochs)) for end in training.milestones)


class ReorderBuffer:
    """Standings by rung, made visible in a fixed order. Rungs are numbered 0 .. R-1; the last is full training."""

    def __init__(self, config: Config, objectives: Objectives) -> None:
        self.rungs = len(config.training.milestones)
        self._mode = config.schedule.mode
        self._lookaheads = lookaheads(config)
        self._population = config.strategy.population
        self._objectives = objectives
        self._at: list[dict[int, Fitness | None]] = [{} for _ in range(self.rungs)]
        self._settled: dict[int, int] = {}  # candidate -> rungs it has reached or will never reach
        self._prefix = [0] * self.rungs  # leading candidates settled at each rung
        self._told = [0] * self.rungs
        self._cutoffs = [RungCutoff(config.training.promote) for _ in range(self.rungs - 1)]
        self._front: tuple[Fitness, ...] = ()
        self.front: list[Fitness] = []
        """Of all that are fully trained by now, by index; what a candidate sees of it is in its `View`."""
        self.order: list[int] = []
        """Decided candidates in the order that counts: by index, or by arrival in async mode."""
        self._arrived: set[int] = set()

    def add_report(self, report: RungReport) -> None:
        """A candidate passed a rung and trains on."""
        self._at[report.rung][report.index] = self._objectives.fitness(report)
        self._settle(report.index, report.rung + 1)

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """A candidate's last word. What it reached before stands as it was told."""
        index = evaluation.candidate.index
        for report in evaluation.rungs:
            self._at[report.rung].setdefault(index, self._objectives.fitness(report))
        due = len(evaluation.rungs)
        if evaluation.status.failed:
            self._at[min(due, self.rungs - 1)][index] = None
        elif due == 0:
            self._at[0][index] = self._objectives.fitness(RungReport(index, 0, evaluation.metrics))
        if (last := self._at[-1].get(index)) is not None and last.values:
            self.front = sorted(pareto.front([*self.front, last]), key=lambda fitness: fitness.index)
        self._arrived.add(index)
        self._settle(index, self.rungs)
        self._extend_order(index)

    def ready(self, index: int) -> bool:
        """Whether all that candidate `index` is to see has happened."""
        if self._mode == "async":
            return True
        return all(self._prefix[rung] >= self._horizon(index, rung) for rung in range(self.rungs))

    def view(self, index: int, visible: int | None = None) -> View:
        """What candidate `index` sees; to be asked once a candidate, in index order.

        visible: in async mode, how much a recorded candidate saw; None for one that is bred now.
        """
        news: list[tuple[int, Fitness | None]] = []
        horizons = [self._horizon(index, rung, visible) for rung in range(self.rungs)]
        for rung, horizon in enumerate(horizons):
            seen = self._sequence(self._told[rung], horizon)
            new = [(i, self._at[rung][i]) for i in seen if i in self._at[rung]]
            self._told[rung] = max(self._told[rung], horizon)
            if rung < self.rungs - 1:
                self._cutoffs[rung].add([fitness for _, fitness in new if fitness and fitness.values])
            news += new
        finals = [fitness for _, fitness in news if fitness and fitness.rung == self.rungs - 1 and fitness.values]
        if finals:  # a front of a front and what is new: fitnesses at one rung never change
            self._front = tuple(pareto.front([*self._front, *finals]))
        return View(horizons[0], tuple(news), tuple(cutoff.fitnesses for cutoff in self._cutoffs), self._front)

    def final(self, indices: Sequence[int]) -> list[Fitness]:
        """The last fitness of each candidate that has not failed."""
        fitnesses = (self._last(index) for index in indices)
        return [s for s in fitnesses if s is not None]

    def fully_trained(self, indices: Sequence[int]) -> list[Fitness]:
        """The fitnesses at the last rung: those that may be on the front of a run."""
        last = self._at[-1]
        return [s for i in indices if (s := last.get(i)) is not None and s.values]

    def _last(self, index: int) -> Fitness | None:
        known = [at[index] for at in self._at if index in at]
        return known[-1] if known else None

    def _horizon(self, index: int, rung: int, visible: int | None = None) -> int:
        if self._mode == "window":
            return max(0, index - self._lookaheads[rung] + 1)
        if self._mode == "generation":
            return index // self._population * self._population
        return len(self.order) if visible is None else visible

    def _sequence(self, start: int, stop: int) -> Iterator[int]:
        return iter(self.order[start:stop]) if self._mode == "async" else iter(range(start, stop))

    def _settle(self, index: int, rungs: int) -> None:
        self._settled[index] = max(rungs, self._settled.get(index, 0))
        for rung in range(self.rungs):
            while self._settled.get(self._prefix[rung], 0) > rung:
                self._prefix[rung] += 1

    def _extend_order(self, index: int) -> None:
        if self._mode == "async":
            self.order.append(index)
            return
        while len(self.order) in self._arrived:
            self._arrived.remove(len(self.order))
            self.order.append(len(self.order))
