"""One training to the end, wherever it runs: an iterator over its epochs that keeps what it reaches with a recorder."""

import json
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from evonas.config.final import FinalConfig
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.build import Builder
from evonas.evaluation.evaluate import weights
from evonas.evaluation.learners import Learner
from evonas.evaluation.training.data_parallel import DataParallel
from evonas.evaluation.training.distillation import Teacher
from evonas.evaluation.training.precision import precision
from evonas.evaluation.training.saved_state import copied
from evonas.final.examining import examined
from evonas.final.plan import FinalTraining
from evonas.final.ways import ByLearner, ByTrainer, Way, as_bytes, as_tensor
from evonas.measuring.backends.pytorch import device_name
from evonas.measuring.device_lock import DeviceLock
from evonas.records import Candidate, Epoch, Genome
from evonas.spaces.space import Space
from evonas.tasks.splitting import joined
from evonas.tasks.task import Task
from evonas.text import describe_error


class Recorder(Protocol):
    """Keeps what trainings have reached; see `FinalRecorder`."""

    def result(self, name: str) -> dict[str, Any] | None: ...
    def state(self, name: str) -> bytes | None: ...
    def keep(self, name: str, epoch: int, state: bytes) -> None: ...
    def finish(self, name: str, result: Mapping[str, Any], weights: bytes = b"") -> None: ...


@dataclass(frozen=True, slots=True)
class TeacherWeights:
    """The front's best network, from which others learn: its genome, and its weights in safetensors."""

    genome: Genome
    weights: bytes


@dataclass(slots=True)
class FinalWork:
    """Trains chosen networks to the end, one after the other, on one device.

    Args:
        space: builds them.
        task: with its data.
        final: how.
        device: "cuda" or "cpu".
        owner: of the trainings, for measurements of others on the machine.
        teacher: of distillation; None: none.
        learner: of the user's own, by which the search trained; None: evonas's trainer does.
    """

    space: Space
    task: Task
    final: FinalConfig
    device: str
    owner: str
    teacher: TeacherWeights | None = None
    learner: Learner | None = None
    _data: dict[str, tuple[Task, DeviceData]] = field(default_factory=dict)

    def __call__(self, job: FinalTraining, recorder: Recorder, parallel: DataParallel | None = None) -> Iterator[Epoch]:
        """Train a network from where it stands, and keep how that ended: the recorder's `result` says it then.

        What goes wrong with the network is its result's status and message; nothing of it is raised.

        Args:
            job: the training.
            recorder: keeps what it reaches.
            parallel: the processes that train it together.

        Yields:
            Its epochs, those of attempts before this one first. After the last, its result is kept.
        """
        if ended := recorder.result(job.name):
            yield from (Epoch(**point, metrics={}) for point in ended["curve"])
            return
        lock = DeviceLock([self.device], owner=self.owner)
        training = _Training(self, job, recorder, lock, parallel)
        try:
            yield from training.epochs()
        except Exception as error:
            recorder.finish(job.name, training.result("failed", describe_error(error)))

    def data(self, fit_on: str) -> tuple[Task, DeviceData]:
        """The task with the examples to learn from, and these on the device, beside those to choose a recipe by."""
        if fit_on not in self._data:
            task = self.task
            if fit_on == "train+valid":
                splits = task.splits
                task = replace(task, splits=replace(splits, train=joined(splits.train, splits.valid)))
            self._data[fit_on] = task, to_device(task, self.device)
        return self._data[fit_on]

    def taught(self, builder: Builder) -> Teacher | None:
        """The teacher's network on the device."""
        if not self.teacher or not self.final.distill:
            return None
        network = builder.untrained(self.teacher.genome)
        network.load_state_dict(load(self.teacher.weights))
        classes = self.task.splits.train.y.dtype.kind in "iub"
        return Teacher(network.eval(), self.final.distill, self.final.temperature, classes)


class _Training:
    """One training: network, trainer, averaged weights, and the curve so far."""

    def __init__(
        self,
        work: FinalWork,
        job: FinalTraining,
        recorder: Recorder,
        lock: DeviceLock,
        parallel: DataParallel | None,
    ) -> None:
        self._parallel = parallel
        self._work, self._job, self._recorder, self._lock = work, job, recorder, lock
        self._curve: list[Epoch] = []
        self._way: Way | None = None
        self._started_at = time.time()

    def epochs(self) -> Iterator[Epoch]:
        work, job = self._work, self._job
        task, data = work.data(job.fit_on)
        builder = Builder(work.space, work.task.spec, data.device, job.training.threads)
        network = builder.build(Candidate(job.candidate, job.genome, (), "final", 0, job.seed))
        teacher = work.taught(builder)
        wait = self._lock.checkpoint
        with self._quiet():
            if work.learner:
                self._way = ByLearner(work.learner, network, task, data, job, wait)
            else:
                self._way = ByTrainer(network, task, data, job, work.final, wait, teacher, self._parallel)
            self._resume()
            yield from list(self._curve)
            yield from self._train()
            self._finish(network, data)

    def result(self, status: str, message: str = "", metrics: Mapping[str, float] | None = None) -> dict[str, Any]:
        """How it ended, as plain data."""
        training = self._job.training
        device = torch.device(self._work.device)
        return {
            "status": status,
            "message": message,
            "curve": [_point(epoch, self._is_validated) for epoch in self._curve],
            "metrics": dict(metrics or {}),
            "conditions": {
                "host": platform.node(),
                "device": device_name(device),
                "torch": str(torch.__version__),
                "dtype": precision(training, device),
                "threads": str(training.threads),
                **({"train_step": self._way.note} if self._way and self._way.note else {}),
            },
            "started_at": self._started_at,
            "finished_at": time.time(),
        }

    @property
    def _is_validated(self) -> bool:
        """Whether the validation examples are not among those that it learns from."""
        return self._job.fit_on == "train"

    def _quiet(self) -> AbstractContextManager[object]:
        """Training makes way for measurements on the machine."""
        return self._lock.shared()

    def _train(self) -> Iterator[Epoch]:
        assert self._way is not None
        kept_at = time.monotonic()
        for epoch in self._way.epochs():
            self._curve.append(replace(epoch, scores={}))
            due = time.monotonic() - kept_at >= self._work.final.checkpoint_s
            if due and epoch.epoch < self._job.training.epochs and (state := self._way.state()):
                self._recorder.keep(self._job.name, epoch.epoch, self._with_curve(state))
                kept_at = time.monotonic()
            yield epoch

    def _finish(self, network: nn.Module, data: DeviceData) -> None:
        splits, task, training = self._work.task.splits, self._work.task, self._job.training
        metrics: dict[str, float] = {}
        for part in ("valid", "test"):
            if (part == "valid" and not self._is_validated) or (part == "test" and self._job.stage == "trial"):
                continue
            for name, value in examined(network, splits.parts[part], data, task, training).items():
                metrics[column(part, name)] = value
        kept = weights(network) if self._job.stage == "seed" else b""
        self._recorder.finish(self._job.name, self.result("ok", metrics=metrics), kept)

    def _with_curve(self, state: Mapping[str, Tensor]) -> bytes:
        curve = json.dumps([{**asdict(epoch), "metrics": dict(epoch.metrics)} for epoch in self._curve])
        return save(copied({**state, "curve": as_tensor(curve.encode())}))

    def _resume(self) -> None:
        """Go on from the newest state that was kept, if there is one that can be read."""
        kept = self._recorder.state(self._job.name)
        if not kept or self._way is None:
            return
        try:
            tensors = load(kept)
            curve = json.loads(as_bytes(tensors["curve"]))
        except Exception:  # cut off by a crash: it begins again
            return
        self._way.load(tensors)
        self._curve = [Epoch(**epoch) for epoch in curve]


def column(part: str, name: str) -> str:
    """The name of a metric on a part of the examples: test[error], test_low[error]."""
    for end in ("_low", "_high"):
        if name.endswith(end):
            return f"{part}{end}[{name.removesuffix(end)}]"
    return f"{part}[{name}]"


def _point(epoch: Epoch, validated: bool) -> dict[str, Any]:
    known = {"valid_loss": epoch.valid_loss, "valid_metric": epoch.valid_metric} if validated else {}
    return {"epoch": epoch.epoch, "train_loss": epoch.train_loss, "valid_loss": None, "valid_metric": None, **known}
