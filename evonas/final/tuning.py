"""Final trainings on Ray Tune: many at a time, those of recipes that are worse stopped early by ASHA.

Tune starts trainings, stops them and starts them again where their process is lost. What they reach is kept by a
recorder on the driver's machine and not in Tune's folders, which go with the process. A plan that goes on replays what
is kept, so that ASHA compares with what was reached before.
"""

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from evonas.config import RuntimeConfig
from evonas.config.final import FinalConfig
from evonas.final.plan import FinalTraining
from evonas.final.progress import FinalProgress, Watch
from evonas.final.ray_session import RaySession, RemoteRecorder
from evonas.final.work import FinalWork, Recorder
from evonas.records import Epoch
from evonas.runtime.sandbox.packing import unpacked
from evonas.store import Folder
from evonas.store.final import unheard

EPOCH, METRIC = "epoch", "metric"
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
}
"""Tune writes no logs of its own and says nothing, and ctrl-C is ours."""


class TuneTrainable(tune.Trainable):
    """A training as Tune sees it: one step is one epoch."""

    _work: tuple[str, FinalWork] | None = None  # of this process: the data stay from one training to the next

    def setup(  # type: ignore[override]  # by tune.with_parameters
        self, config: dict[str, Any], jobs: Sequence[FinalTraining], payload: Any, digest: str, recorder: Any
    ) -> None:
        self._jobs, self._recorder = jobs, RemoteRecorder(recorder)
        if self._work is None or self._work[0] != digest:
            type(self)._work = digest, unpacked(ray.get(payload[0]))  # in a list, or Tune would hand it over itself
        self._begin(config)

    def step(self) -> dict[str, Any]:
        epoch = next(self._epochs, None)
        if epoch is None or epoch.epoch == self._job.training.epochs:
            for _ in self._epochs:  # to its end: what it has become is kept
                pass
            return {**_told(epoch), "done": True}
        return _told(epoch)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self._begin(new_config)
        return True

    def cleanup(self) -> None:
        self._epochs.close()  # it may hold the device

    def _begin(self, config: Mapping[str, Any]) -> None:
        assert self._work is not None
        self._job = self._jobs[config["number"]]
        self._epochs: Any = self._work[1](self._job, self._recorder)


class ByNetwork(FIFOScheduler):
    """ASHA among the trainings of each network alone.

    Args:
        jobs: all trainings.
        made: makes the scheduler of one network.
    """

    def __init__(self, jobs: Sequence[FinalTraining], made: Callable[[], AsyncHyperBandScheduler]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._jobs, self._made = jobs, made
        self._by_network: dict[int, AsyncHyperBandScheduler] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if result.get("done"):
            return str(TrialScheduler.CONTINUE)
        return str(self._of(trial).on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self._of(trial).on_trial_remove(tune_controller, trial)

    def _of(self, trial: Any) -> AsyncHyperBandScheduler:
        candidate = self._jobs[trial.config["number"]].candidate
        if candidate not in self._by_network:
            self._by_network[candidate] = self._made()
        return self._by_network[candidate]


class _Teller(tune.Callback):
    """Tells the progress, and writes down how those ended that do not say it themselves."""

    def __init__(
        self, jobs: Sequence[FinalTraining], recorder: Recorder, progress: FinalProgress, watch: Watch
    ) -> None:
        self._jobs, self._recorder, self._progress, self._watch = jobs, recorder, progress, watch
        self._curves: dict[str, dict[int, dict[str, Any]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune writes down what it was given; this is of this process alone."""
        return tune.Callback, ()

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        job = self._jobs[trial.config["number"]]
        if point := result.get("point"):
            self._curves.setdefault(job.name, {})[point["epoch"]] = point
            self._progress.reached(job, point["epoch"], result.get(METRIC))
        self._watch(self._progress)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self._ended(trial, "stopped", "others of its recipes are better")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        lines = str((getattr(trial, "error_file", "") and trial.get_error()) or "").strip().splitlines() or ["lost"]
        self._ended(trial, "failed", f"its process was lost again and again: {lines[-1]}")

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        self._watch(self._progress)

    def _ended(self, trial: Any, status: str, message: str) -> None:
        job = self._jobs[trial.config["number"]]
        found = self._recorder.result(job.name)
        if found is None:
            curve = [point for _, point in sorted(self._curves.get(job.name, {}).items())]
            took_s = float((trial.last_result or {}).get("time_total_s", 0.0))
            found = unheard(status, message, curve, took_s)
            self._recorder.finish(job.name, found)
        self._progress.end(job, str(found["status"]))
        self._watch(self._progress)


class TuneTrainings:
    """Runs trainings on a Ray of this run's own, or on a cluster.

    Args:
        work: what a training is.
        folder: of the run.
        runtime: where, and how many at a time.
        final: how often a lost one is started, and how ASHA stops.
        modules: the user's own, which travel by value.

    Raises:
        UserError: there is no such cluster, or what a training needs cannot be sent.
        RuntimeNotStarted: Ray does not start on this machine.
    """

    def __init__(
        self, work: FinalWork, folder: Folder, runtime: RuntimeConfig, final: FinalConfig, modules: Sequence[ModuleType]
    ) -> None:
        os.environ.update(QUIET)
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are told by us
        self._session, self._runtime, self._final = RaySession(work, folder, runtime, modules), runtime, final
        self._folder = tempfile.TemporaryDirectory(prefix="evonas-tune-", ignore_cleanup_errors=True)

    def run(self, jobs: Sequence[FinalTraining], progress: FinalProgress, watch: Watch) -> None:
        """Train all of them; afterwards the recorder has the result of each."""
        if not jobs:
            return
        session = self._session
        trainable = tune.with_parameters(
            TuneTrainable, jobs=list(jobs), payload=[session.payload], digest=session.digest, recorder=session.actor
        )
        needs = {"cpu": self._runtime.cpus_per_worker, "gpu": self._runtime.gpus_at_first}
        workers = self._runtime.max_workers if self._runtime.workers == "auto" else self._runtime.workers
        tuner = tune.Tuner(
            tune.with_resources(trainable, needs),
            param_space={"number": tune.grid_search(list(range(len(jobs))))},
            tune_config=tune.TuneConfig(
                scheduler=self._scheduler(jobs, progress), reuse_actors=True, max_concurrent_trials=workers
            ),
            run_config=tune.RunConfig(
                storage_path=self._folder.name,
                name=jobs[0].stage,
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=self._final.attempts - 1),
                callbacks=[_Teller(jobs, session.recorder, progress, watch)],
            ),
        )
        tuner.fit()
        for job in jobs:  # whatever Tune did not tell
            if session.recorder.result(job.name) is None:
                session.recorder.finish(job.name, unheard("failed", "it never ran", []))

    def close(self) -> None:
        """End what was started."""
        self._session.close()
        self._folder.cleanup()

    def _scheduler(self, jobs: Sequence[FinalTraining], progress: FinalProgress) -> TrialScheduler:
        if jobs[0].stage == "seed":
            return FIFOScheduler()  # type: ignore[no-untyped-call]
        epochs = jobs[0].training.epochs
        grace = max(1, epochs // self._final.reduction**2)
        mode = "max" if progress.maximised else "min"

        asha = partial(
            AsyncHyperBandScheduler,
            time_attr=EPOCH,
            metric=METRIC,
            mode=mode,
            max_t=epochs + 1,  # the last epoch ends by itself, and keeps its result
            grace_period=grace,
            reduction_factor=self._final.reduction,
        )
        return ByNetwork(jobs, asha)


def _told(epoch: Epoch | None) -> dict[str, Any]:
    if epoch is None:
        return {}
    names = ("epoch", "train_loss", "valid_loss", "valid_metric")
    return {EPOCH: epoch.epoch, METRIC: epoch.valid_metric, "point": {name: getattr(epoch, name) for name in names}}
