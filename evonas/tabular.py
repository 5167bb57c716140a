"""Evaluation by function or table instead of by training: benchmarks such as NAS-Bench-201, and synthetic tests.

`evonas.search(config, space=..., task=SPEC, evaluator=Tabular(...))` is a whole search, with its runtime, early
stopping and record; only what a candidate costs and reaches is looked up. Needs no torch, so workers start at once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.config import Config
from evonas.objectives.before_training import is_stopped_before, report_before
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import Objectives
from evonas.objectives.promotion import promoted_to
from evonas.records import Epoch, Evaluation, Genome, Job, RungReport, Status
from evonas.spaces.space import Space
from evonas.text import describe_error

Evaluate = Callable[[Job], Iterator[Any]]
EvaluatorFactory = Callable[[Space, Config, Objectives], Evaluate]
"""(space, config, objectives) -> what evaluates one job after another; called once in each worker."""


def nothing(genome: Genome) -> Mapping[str, float]:
    """No costs."""
    return {}


@dataclass(frozen=True, slots=True)
class Tabular:
    """An evaluator that looks up what training would give. Where one of its functions raises, the candidate has failed.

    Args:
        trained: (genome, epochs) -> the metrics of the network after so many epochs.
        costs: genome -> what is known before training, by column, e.g. "params", "latency_ms[board]".
    """

    trained: Callable[[Genome, int], Mapping[str, float]]
    costs: Callable[[Genome], Mapping[str, float]] = nothing

    def __call__(self, space: Space, config: Config, objectives: Objectives) -> Evaluate:
        """What evaluates the jobs of a worker."""
        return _Lookup(self, config, objectives)


@dataclass(frozen=True, slots=True)
class _Lookup:
    table: Tabular
    config: Config
    objectives: Objectives

    def __call__(self, job: Job) -> Iterator[RungReport | Evaluation]:
        try:
            yield from self._looked_up(job)
        except Exception as error:
            yield Evaluation(job.candidate, Status.FAILED_ERROR, message=f"the table raises {describe_error(error)}")

    def _looked_up(self, job: Job) -> Iterator[RungReport | Evaluation]:
        index, genome = job.candidate.index, job.candidate.genome
        costs = dict(self.table.costs(genome))
        if self.objectives.violation(costs):
            yield Evaluation(job.candidate, Status.INFEASIBLE, costs, message="over a limit")
            return
        reports: list[RungReport] = []
        curve: list[Epoch] = []
        begins = promoted_to(job.candidate) or 0
        if begins and self.objectives.before:  # what was decided of its parent
            reports.extend(job.reached[:1] or [RungReport(index, 0, costs)])
            costs = dict(reports[0].metrics)
        if job.before:
            report = report_before(job, costs, self.objectives)
            reports.append(report)
            if not job.reached and is_stopped_before(report, job, self.objectives):
                yield self._evaluation(job, Status.STOPPED, curve, reports)
                return
            if not job.reached:
                yield report
            costs = dict(report.metrics)
        for rung, epochs in enumerate(self.config.training.milestones):
            if not epochs:
                continue
            trained = self.table.trained(genome, epochs)
            main = next(iter(trained.values()), 0.0)
            curve.append(Epoch(epochs, main, main, main))
            reports.append(RungReport(index, rung, {**costs, **trained}))
            if rung == len(job.cutoffs):
                yield self._evaluation(job, Status.OK, curve, reports)
            elif rung == job.pause or is_stopped(self.objectives.fitness(reports[-1]), job.cutoffs[rung]):
                yield self._evaluation(job, Status.STOPPED, curve, reports)
                return
            elif rung >= max(len(job.reached), begins):
                yield reports[-1]

    def _evaluation(self, job: Job, status: Status, curve: list[Epoch], reports: list[RungReport]) -> Evaluation:
        return Evaluation(job.candidate, status, reports[-1].metrics, tuple(curve), tuple(reports))
