"""The third stage: the network gets its weights, rung by rung, and stops where others known there are better in all."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation.draft import Draft
from evonas.evaluation.gpu.pulse import Pulse
from evonas.evaluation.learners.learner import Learner, TrainingSetup
from evonas.evaluation.quantised import QuantisedQuality
from evonas.evaluation.refinement import Refinement
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.ties import TieBreaker
from evonas.evaluation.training.loop import Diverged
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import Objectives
from evonas.records import Epoch, Fitness, Job, RungReport, Status


class OutOfTime(BaseException):
    """The budget of time is used up: nobody is to blame, and nothing of the candidate may catch it."""


class Learning:
    """Runs a learner and reports the rungs.

    Args:
        learner: how a network gets its weights.
        objectives: by which a candidate is compared at a rung.
        refinement: what measures a latency to the end where it decides.
        ties: what settles ties before the last rung is reported.
        quality: what finds out how good the network is in 8 bits.
    """

    def __init__(
        self,
        learner: Learner,
        objectives: Objectives,
        refinement: Refinement,
        ties: TieBreaker,
        quality: QuantisedQuality,
    ) -> None:
        self._learner, self._objectives, self._refinement, self._ties = learner, objectives, refinement, ties
        self._quality = quality

    def learn(self, network: nn.Module, job: Job, draft: Draft, setup: TrainingSetup) -> Iterator[RungReport]:
        """Train the network in place.

        The learner's last epoch counts as full training, and so does having none, whatever the number of epochs that
        the config names.

        Args:
            network: on the training device.
            job: whose candidate it is, with the cutoffs of the rungs.
            draft: gets curve, rungs and metrics; status STOPPED where a rung is not passed, or where it is paused,
                with a checkpoint.
            setup: task, data and config of this attempt.

        Yields:
            The rungs before the last that are passed and were not reported before.

        Raises:
            Diverged: a metric that is named by an objective, a limit or `record` is not finite.
            ExportError: the network cannot be converted to 8 bits.
            MetricError: the learner did not report a metric of the task, or, though it trains, no epoch.
            OutOfTime: the job's time came between two steps or epochs.
        """
        rungs = {epoch: rung for rung, epoch in enumerate(setup.training.rungs)}
        known = {report.rung for report in draft.reached}
        metrics: Mapping[str, float] = {}
        scores: Mapping[str, bytes] = {}
        wait = setup.checkpoint

        pulse = Pulse(watched=setup.data.device.type == "cuda")

        def checkpoint() -> None:
            _check_time(job)
            wait()
            pulse.step()

        states: list[Callable[[], bytes]] = []
        setup = replace(setup, checkpoint=checkpoint, start=job.start, offer=states.append)
        for epoch in _timed(self._learner.epochs(network, job.candidate, setup), draft, pulse):
            metrics, scores = self._checked(epoch, setup), epoch.scores
            if epoch.epoch < setup.training.epochs:  # of a learner that has no checkpoints
                _check_time(job)
            draft.curve.append(replace(epoch, scores={}))
            rung = rungs.get(epoch.epoch)
            if rung is None or rung in known:  # a rung reported before was passed
                continue
            metrics = {**metrics, **self._quality.at_rung(network, draft)}
            self._refinement.at_rung(job, draft, metrics, _cutoff(job, rung))
            report = RungReport(job.candidate.index, rung, {**draft.metrics, **metrics})
            draft.reached.append(report)
            if rung == job.pause:
                draft.checkpoint = states[-1]() if states else None
            if rung == job.pause or is_stopped(self._objectives.fitness(report), _cutoff(job, rung)):
                draft.status = Status.STOPPED
                draft.metrics = dict(report.metrics)
                return
            yield report
        if self._learner.trains and not draft.curve:
            raise MetricError("the learner trains (`trains`) and reported no epoch; yield an Epoch after each")
        draft.scores = {name: data for name, data in scores.items() if name in metrics}
        self._finish(network, job, draft, metrics, setup.training)

    def _checked(self, epoch: Epoch, setup: TrainingSetup) -> Mapping[str, float]:
        """The metrics that are finite, which are all that are named."""
        for name in setup.task.metrics:
            if name not in epoch.metrics:
                raise MetricError(
                    f"metric {name}: the learner did not report it; an Epoch has every metric of the task"
                )
            value = epoch.metrics[name]
            if name in self._objectives.named and not math.isfinite(value):
                raise Diverged(f"metric {name} is {value} after epoch {epoch.epoch}; it is not defined there")
        return {name: value for name, value in epoch.metrics.items() if math.isfinite(value)}

    def _finish(
        self, network: nn.Module, job: Job, draft: Draft, metrics: Mapping[str, float], training: TrainingConfig
    ) -> None:
        """Report full training."""
        full = len(training.rungs)
        if draft.reached and draft.reached[-1].rung == full:  # by an attempt before this one
            return
        metrics = {**metrics, **self._quality.at_end(network, draft)}
        draft.metrics = self._ties.remeasured(job, draft, {**draft.metrics, **metrics})
        draft.reached.append(RungReport(job.candidate.index, full, dict(draft.metrics)))


def _check_time(job: Job) -> None:
    if time.time() >= job.until:
        raise OutOfTime("the time of the budget is used up")


def _cutoff(job: Job, rung: int) -> tuple[Fitness, ...]:
    """No cutoff: go on."""
    return job.cutoffs[rung] if rung < len(job.cutoffs) else ()


def _timed(epochs: Iterator[Epoch], draft: Draft, pulse: Pulse) -> Iterator[Epoch]:
    """The epochs; adds the time that they take, not what passes between them, to the draft."""
    while True:
        draft.epoch_began = time.perf_counter()
        pulse.begin()
        try:
            epoch = next(epochs, None)
        finally:
            draft.train_s, draft.epoch_began = draft.trained_s, None
            pulse.end()
        if epoch is None:
            return
        yield epoch
