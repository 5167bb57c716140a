"""A latency is measured more precisely where something depends on it: a limit or a rung.

A first measurement takes a share `screen` of a target's time, and its interval is as wide as that makes it. Most
candidates are decided by it: over a limit by far, or worse than others in everything, wherever in its interval the
latency may be. Of the others more is sampled, until what depends on it is decided. A place on the front that the
interval decides is the matter of `ties`, and who is on the front in the end is measured to the end then.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import nn

from evonas.evaluation.build import Builder
from evonas.evaluation.draft import Draft
from evonas.evaluation.failures import message_of
from evonas.evaluation.gpu.errors import GpuError, gpu_error
from evonas.evaluation.targets import Targets
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import Objectives
from evonas.records import Fitness, Job, RungReport

Metrics = Mapping[str, float]
Decided = Callable[[Metrics], bool]
"""Says of a candidate's metrics, with the intervals of its latencies, whether what depends on them is decided."""


class Refinement:
    """Measures again what was screened and matters.

    Args:
        objectives: with the limits.
        targets: where networks are measured.
        builder: of networks as they were when they were screened, untrained.
    """

    def __init__(self, objectives: Objectives, targets: Targets, builder: Builder) -> None:
        self._objectives, self._targets, self._builder = objectives, targets, builder

    def at_limits(self, network: nn.Module, job: Job, draft: Draft, target: str) -> None:
        """Where a limit lies within the interval of a latency of a target, the draft gets a better one.

        Args:
            network: untrained.
            job: whose candidate it is.
            draft: with the target's latency.
            target: which.

        Raises:
            TargetUnavailable: the target cannot be reached any more. Whatever the network raises.
        """

        def decided(metrics: Metrics) -> bool:
            return not self._objectives.undecided_limits(metrics, target)

        if not decided(draft.metrics):
            self._measure(network, job, draft, target, decided, {})

    def at_rung(self, job: Job, draft: Draft, learnt: Metrics, cutoff: Sequence[Fitness]) -> None:
        """Where an interval decides whether a candidate goes on, the draft gets better latencies.

        Args:
            job: whose candidate it is.
            draft: with its latencies.
            learnt: metrics of the network at the rung.
            cutoff: what it must not be dominated by.
        """

        def decided(metrics: Metrics) -> bool:
            best, worst = self._ends(job, metrics)
            return is_stopped(best, cutoff) == is_stopped(worst, cutoff)

        self._until(decided, job, draft, learnt)

    def _until(self, decided: Decided, job: Job, draft: Draft, learnt: Metrics) -> None:
        """On every target that was screened; where that fails, what is known stands, for the network works."""
        start = time.perf_counter()
        try:
            for target in sorted(draft.screened):
                if not decided({**draft.metrics, **learnt}):
                    network = self._builder.untrained(job.candidate.genome)
                    self._measure(network, job, draft, target, decided, learnt)
        except Exception as error:
            if gpu_error(error) in (GpuError.BROKEN, GpuError.LOST):  # the GPU may be of no use any more
                raise
            draft.message = f"not measured again: {message_of(error)}"
        draft.measure_s += time.perf_counter() - start

    def _measure(
        self, network: nn.Module, job: Job, draft: Draft, target: str, decided: Decided, learnt: Metrics
    ) -> None:
        known = {**draft.metrics, **learnt}

        def enough(low: float, high: float) -> bool:
            return decided({**known, f"latency_low_ms[{target}]": low, f"latency_high_ms[{target}]": high})

        found = self._targets.measure(target, network, job.candidate.genome, job.endpoints, enough=enough)
        draft.take(target, self._targets.metrics(target, found), found)

    def _ends(self, job: Job, metrics: Metrics) -> tuple[Fitness, Fitness]:
        """A candidate with the best and with the worst values that its intervals allow."""
        fitness = self._objectives.fitness(RungReport(job.candidate.index, 0, metrics))
        if not fitness.intervals:  # nothing that is compared is measured
            return fitness, fitness
        low, high = (tuple(interval[end] for interval in fitness.intervals) for end in (0, 1))
        return replace(fitness, values=low), replace(fitness, values=high)
