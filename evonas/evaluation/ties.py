"""The last stage: ties that noise would decide are settled by measuring the two networks side by side."""

import time
from collections.abc import Mapping

from evonas.evaluation.build import Builder
from evonas.evaluation.draft import Draft
from evonas.evaluation.failures import message_of
from evonas.evaluation.gpu.errors import GpuError, gpu_error
from evonas.evaluation.paired_comparison import PairedComparison
from evonas.evaluation.targets import Targets
from evonas.objectives.objectives import Objectives
from evonas.records import Job


class TieBreaker:
    """Measures a candidate again beside members of the front that it cannot be told from.

    Args:
        objectives: by which networks are compared.
        targets: where they are measured.
        builder: of the two networks.
        max_remeasurements: target -> how many members a candidate is measured beside there.
    """

    def __init__(
        self, objectives: Objectives, targets: Targets, builder: Builder, max_remeasurements: Mapping[str, int]
    ) -> None:
        self._objectives, self._targets, self._builder = objectives, targets, builder
        self._max_remeasurements = max_remeasurements

    def remeasured(self, job: Job, draft: Draft, metrics: Mapping[str, float]) -> dict[str, float]:
        """The metrics of a trained candidate, after it was measured again where noise would decide who stays.

        Where that fails, what was measured before stands: the network has been trained, and works.

        Args:
            job: holds the front that was visible.
            draft: gets the samples, the conditions and the time that it took.
            metrics: as they are known so far.

        Returns:
            `metrics`, with latencies said relative to the members of the front.
        """
        start = time.perf_counter()
        result = dict(metrics)
        comparison = PairedComparison(self._objectives, job, self._max_remeasurements)
        try:
            while (incumbent := comparison.next(result)) is not None:
                target = incumbent.target
                own, other = map(self._builder.untrained, (job.candidate.genome, incumbent.genome))
                found = self._targets.against(target, own, other, incumbent.ms, job.endpoints)
                result |= comparison.resolved(incumbent, found, self._targets.metrics(target, found))
                draft.latency_samples[target] = (*draft.latency_samples.get(target, ()), *found.samples)
                draft.conditions[f"against[{target}]"] = comparison.against(target)
        except Exception as error:
            if gpu_error(error) in (GpuError.BROKEN, GpuError.LOST):  # the GPU may be of no use any more
                raise
            draft.message = f"not measured again: {message_of(error)}"
        draft.measure_s += time.perf_counter() - start
        return result
