"""What trains a network to the end: evonas's own trainer, or the learner by which its search trained."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from evonas.config.final import FinalConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.learners import Learner, TrainingSetup
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.training.averaging import WeightAverage
from evonas.evaluation.training.data_parallel import DataParallel
from evonas.evaluation.training.distillation import Teacher
from evonas.evaluation.training.loop import Trainer
from evonas.final.plan import FinalTraining
from evonas.records import Candidate, Epoch
from evonas.tasks.task import Task


class Way(Protocol):
    """One training on its way."""

    note: str
    """How steps were made, where that is something to say."""

    def epochs(self) -> Iterator[Epoch]:
        """Train from where it stands to the end; then the network has the weights that are kept."""

    def state(self) -> dict[str, Tensor]:
        """What `load` goes on from, between two epochs; empty where there is nothing to go on from."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`."""


class ByTrainer:
    """evonas's own trainer, the weights of whose last steps are averaged.

    Args:
        network, task, data: what is trained on what.
        job: recipe and seed.
        final: how many steps are averaged.
        checkpoint: called between two steps.
        teacher: from which it learns too; None: none.
        parallel: the processes that train it together.
    """

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        data: DeviceData,
        job: FinalTraining,
        final: FinalConfig,
        checkpoint: Callable[[], None],
        teacher: Teacher | None,
        parallel: DataParallel | None,
    ) -> None:
        self._average = WeightAverage(network, 0)
        # `final.average` says which steps are averaged
        training = job.training.model_copy(update={"average": 0.0, **({"ema": 0.0} if final.average else {})})
        stepped = self._average.update if final.average else lambda: None
        self._trainer = Trainer(network, data, task, training, job.seed, checkpoint, teacher, stepped, parallel)
        steps = self._trainer.steps * training.epochs
        self._average.begin = round(steps * (1 - final.average))
        self.note = ""

    def epochs(self) -> Iterator[Epoch]:
        """See `Way`."""
        for epoch in self._trainer.epochs():
            self.note = self._trainer.graph_note
            yield epoch
        self._average.apply()

    def state(self) -> dict[str, Tensor]:
        """See `Way`."""
        averages = {f"average.{name}": tensor for name, tensor in self._average.state_dict().items()}
        return {"trainer": as_tensor(self._trainer.state()), **averages}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See `Way`."""
        self._trainer.load(as_bytes(state["trainer"]))
        below = {name.removeprefix("average."): t for name, t in state.items() if name.startswith("average.")}
        self._average.load_state_dict(below)


class ByLearner:
    """The user's own learner, as the search had it; what it leaves is what is kept.

    Args:
        learner: how the search's candidates got their weights.
        network, task, data: what is trained on what.
        job: candidate, recipe and seed.
        checkpoint: called between two steps.
    """

    def __init__(
        self,
        learner: Learner,
        network: nn.Module,
        task: Task,
        data: DeviceData,
        job: FinalTraining,
        checkpoint: Callable[[], None],
    ) -> None:
        self._learner, self._network, self._job = learner, network, job
        self._offered: list[Callable[[], bytes]] = []
        self._setup = TrainingSetup(task, data, job.training, checkpoint, self._hear, offer=self._offered.append)
        self.note = ""

    def epochs(self) -> Iterator[Epoch]:
        """See `Way`.

        Raises:
            MetricError: it reported no epoch.
        """
        job, reported = self._job, bool(self._setup.start)
        candidate = Candidate(job.candidate, job.genome, (), "final", 0, job.seed)
        with closing(_as_generator(self._learner.epochs(self._network, candidate, self._setup))) as epochs:
            for epoch in epochs:
                reported = True
                yield epoch
        if not reported:
            raise MetricError("the learner trains (`trains`) and reported no epoch; yield an Epoch after each")

    def state(self) -> dict[str, Tensor]:
        """See `Way`; of a learner that offers nothing there is none, and a training that was lost begins again."""
        return {"learner": as_tensor(self._offered[-1]())} if self._offered else {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See `Way`."""
        self._setup = replace(self._setup, start=as_bytes(state["learner"]))

    def _hear(self, name: str, text: str) -> None:
        if name == "train_step":
            self.note = text


def _as_generator(epochs: Iterator[Epoch]) -> Generator[Epoch]:
    """Closing it closes a learner's generator where it stands, whatever iterator that is."""
    yield from epochs


def as_tensor(data: bytes) -> Tensor:
    """Bytes in safetensors."""
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def as_bytes(tensor: Tensor) -> bytes:
    """What `as_tensor` was given."""
    return bytes(tensor.numpy())
