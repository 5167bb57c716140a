"""The second stage: what a network costs before it is trained, and whether that is within the limits."""

from collections.abc import Mapping

from torch import nn

from evonas.config import TrainingConfig
from evonas.errors import TargetUnavailable
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.draft import Draft
from evonas.evaluation.refinement import Refinement
from evonas.evaluation.targets import Targets
from evonas.evaluation.untrained.costs import TRAIN_MEMORY, Compute, computed
from evonas.objectives.objectives import Objectives
from evonas.records import Job
from evonas.tasks.task import Task


class CostMeasurement:
    """Fills in what is known of an untrained network.

    Args:
        objectives: whose limits are the gate.
        targets: the devices.
        metrics: name -> what computes it of the network.
        task, data, training: what the metrics are computed with; `training` as the config has it.
        refinement: where a limit depends on a latency.
    """

    def __init__(
        self,
        objectives: Objectives,
        targets: Targets,
        metrics: Mapping[str, Compute],
        task: Task,
        data: DeviceData,
        training: TrainingConfig,
        refinement: Refinement,
    ) -> None:
        self._refinement = refinement
        self._objectives, self._targets, self._metrics = objectives, targets, metrics
        self._task, self._data, self._training = task, data, training

    def measure(self, network: nn.Module, job: Job, draft: Draft, training: TrainingConfig, data: DeviceData) -> None:
        """Costs, then latencies; what an earlier attempt has reported or measured is taken over instead.

        The memory of half a batch counts twice: no less than a whole one would have taken.

        Args:
            network: untrained, on the training device.
            job: whose candidate it is.
            draft: what is filled in.
            training: of this attempt, which may have a smaller batch.
            data: of this attempt, which may have smaller validation passes.

        Raises:
            TargetUnavailable: only a target that cannot be reached can tell whether the candidate is within its limits.
        """
        if draft.reached and job.kind == "evaluate":
            known = draft.reached[0].metrics
            draft.metrics.update(
                {name: value for name, value in known.items() if name.partition("[")[0] not in self._task.metrics}
            )
            for name in self._targets.measured:  # the attempt before did not say how far it had measured
                if self._targets.screens(name) and not known.get(f"settled[{name}]", 1.0):
                    draft.screened.add(name)
            return
        if not self._metrics.keys() <= draft.metrics.keys():
            whole = min(self._training.batch_size, len(self._data.train))
            for name, value in computed(self._metrics, network, self._task, data, training):
                # one by one: a failure keeps what is known by then
                draft.metrics[name] = value * whole / draft.batch_size if name == TRAIN_MEMORY else value
        for name in self._targets.tables:
            ms = self._targets.estimate(name, network)
            throughput = self._targets.examples_per_s(name, ms)
            draft.metrics |= {f"latency_ms[{name}]": ms, f"examples_per_s[{name}]": throughput}
        self._measure_on_targets(network, job, draft)

    def over_limits(self, metrics: Mapping[str, float]) -> str:
        """The limits that the costs break, as text; empty where there are none."""
        return self._objectives.over_limits(metrics)

    def _measure_on_targets(self, network: nn.Module, job: Job, draft: Draft) -> None:
        everywhere = job.kind == "measure"
        unavailable: TargetUnavailable | None = None
        for name in self._objectives.targets if everywhere else self._targets.measured:
            if name in draft.latency_samples or (self.over_limits(draft.metrics) and not everywhere):
                continue
            try:
                screen = self._targets.screens(name) and not everywhere
                found = self._targets.measure(name, network, job.candidate.genome, job.endpoints, screen)
            except TargetUnavailable as error:
                unavailable = error
                continue
            draft.take(name, {**self._targets.metrics(name, found), f"remeasured[{name}]": 0.0}, found)
            if name in draft.screened:
                self._refinement.at_limits(network, job, draft, name)
        if unavailable and (everywhere or not self.over_limits(draft.metrics)):
            raise unavailable
