"""Final trainings in which several processes train one network together, through Ray Train: one training at a time."""

import tempfile
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import ray
from ray import train
from ray.train.torch import TorchTrainer, get_device

from evonas.config import RuntimeConfig
from evonas.config.final import FinalConfig
from evonas.final.plan import FinalTraining
from evonas.final.progress import FinalProgress, Watch
from evonas.final.ray_session import RaySession
from evonas.final.work import FinalWork, Recorder
from evonas.runtime.sandbox.packing import unpacked
from evonas.store import Folder
from evonas.store.final import unheard
from evonas.text import describe_error


class FirstAlone:
    """The recorder of a process that is not the first of its group: it reads what the first keeps, and keeps nothing.

    Args:
        recorder: of the group.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def result(self, name: str) -> dict[str, Any] | None:
        return self._recorder.result(name)

    def state(self, name: str) -> bytes | None:
        return self._recorder.state(name)

    def keep(self, name: str, epoch: int, state: bytes) -> None:
        """The first does."""

    def finish(self, name: str, result: Mapping[str, Any], weights: bytes = b"") -> None:
        """The first does."""


class RayTrainTrainings:
    """Runs trainings one after the other, each by a group of processes.

    Args:
        work: what a training is.
        folder: of the run.
        runtime: where, and what each process gets.
        final: how many processes, and how often a group is started that has lost one.
        modules: the user's own, which travel by value.

    Raises:
        UserError: there is no such cluster, or what a training needs cannot be sent.
        RuntimeNotStarted: Ray does not start on this machine.
    """

    def __init__(
        self, work: FinalWork, folder: Folder, runtime: RuntimeConfig, final: FinalConfig, modules: Sequence[ModuleType]
    ) -> None:
        needed = runtime.model_copy(update={"workers": final.processes})
        self._session = RaySession(work, folder, needed, modules)
        self._runtime, self._final = runtime, final
        self._folder = tempfile.TemporaryDirectory(prefix="evonas-train-", ignore_cleanup_errors=True)

    def run(self, jobs: Sequence[FinalTraining], progress: FinalProgress, watch: Watch) -> None:
        """Train all of them to their ends; afterwards the recorder has the result of each."""
        recorder = self._session.recorder
        for job in jobs:
            progress.reached(job, 0, None)
            watch(progress)
            why = "" if recorder.result(job.name) else self._fit(job)
            if (result := recorder.result(job.name)) is None:
                result = unheard("failed", why or "it never ran", [])
                recorder.finish(job.name, result)
            for point in result["curve"]:
                progress.reached(job, point["epoch"], point["valid_metric"])
            progress.end(job, str(result["status"]))
            watch(progress)

    def close(self) -> None:
        """End what was started."""
        self._session.close()
        self._folder.cleanup()

    def _fit(self, job: FinalTraining) -> str:
        """Train it; why it failed, or nothing."""
        gpus = self._runtime.gpus_at_first
        resources = {"CPU": self._runtime.cpus_per_worker, **({"GPU": gpus} if gpus else {})}
        trainer = TorchTrainer(
            _loop,
            train_loop_config={"job": job, "payload": self._session.payload, "recorder": self._session.actor},
            scaling_config=train.ScalingConfig(
                num_workers=self._final.processes, use_gpu=bool(gpus), resources_per_worker=resources
            ),
            run_config=train.RunConfig(
                storage_path=self._folder.name,
                name=job.name,
                failure_config=train.FailureConfig(max_failures=self._final.attempts - 1),
            ),
        )
        try:
            trainer.fit()
        except Exception as error:  # of whatever class Ray Train has for it
            return describe_error(error)
        return ""


def _loop(config: Mapping[str, Any]) -> None:
    """What each process of a group does."""
    from evonas.evaluation.training.data_parallel import DataParallel
    from evonas.final.ray_session import RemoteRecorder

    work: FinalWork = unpacked(ray.get(config["payload"]))
    work.device = str(get_device())
    parallel, recorder = DataParallel(), RemoteRecorder(config["recorder"])
    for epoch in work(config["job"], recorder if parallel.rank == 0 else FirstAlone(recorder), parallel):
        train.report({"epoch": epoch.epoch, "train_loss": epoch.train_loss})
