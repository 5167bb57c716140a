"""What a training loop of the user's own is given besides the network: the data, the budget, and what it reports to."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.training.augment import augment
from evonas.evaluation.training.example_scores import in_bytes, to_keep
from evonas.evaluation.training.loop import Diverged
from evonas.evaluation.training.scoring import scored
from evonas.records import Epoch
from evonas.seeding import seed_for
from evonas.tasks.task import Task


@dataclass(frozen=True)
class LoopData:
    """The examples, on the device.

    Args:
        task: with its splits, whose arrays are as they are stored.
        on_device: training and validation examples.
        training: the config's section.
        seed: of the candidate.
        checkpoint: as of the budget.
    """

    task: Task
    on_device: DeviceData
    training: TrainingConfig
    seed: int
    checkpoint: Callable[[], None]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.on_device.device

    def batches(self, epoch: int) -> Iterator[tuple[Any, Tensor]]:
        """Training batches in the order of an epoch, prepared and augmented as the config says, but for mixing; the
        next one is a checkpoint.

        Args:
            epoch: from 0.

        Yields:
            What the network takes, and targets.
        """
        data, generator = self.on_device, Generator(self.device)
        generator.manual_seed(seed_for(self.seed, "epoch", epoch))
        for stored, y in data.train.shuffled(min(self.training.batch_size, len(data.train)), generator):
            x = data.prepare(stored)
            if data.augment is not None:
                x, y = data.augment(x, y, generator)
            yield augment(x, y, self.training.augment, self.task.effects, generator)
            self.checkpoint()

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """The task's loss of a batch, a scalar."""
        return self.task.loss(output.float(), y, self.training.label_smoothing)


@dataclass(frozen=True)
class LoopBudget:
    """How long a candidate may train.

    Args:
        training: the config's section, e.g. its `learning_rate`.
        seed: of the candidate; nothing random may come from elsewhere, but for the global generators, which are seeded.
        checkpoint: to be called between two steps: measurements on the machine may make it wait, and it ends a
            training that nobody waits for.
    """

    training: TrainingConfig
    seed: int
    checkpoint: Callable[[], None]

    @property
    def epochs(self) -> int:
        """Of full training; fewer reports end it earlier."""
        return self.training.epochs


class Report:
    """Tells the search how a network does after an epoch, and returns when it is to go on.

    Where it is stopped early, or its time is over, what is raised must not be caught (it is no `Exception`); a
    `finally` may clean up.

    Args:
        network: that is trained.
        data, budget: of the loop.
        hand_over: takes the epochs.
    """

    def __init__(
        self, network: nn.Module, data: LoopData, budget: LoopBudget, hand_over: Callable[[Epoch], None]
    ) -> None:
        self._network, self._data, self._budget, self._hand_over = network, data, budget, hand_over
        self.epoch = 0
        """Epochs reported so far."""

    def __call__(
        self, train_loss: float, valid_loss: float | None = None, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Report an epoch.

        Args:
            train_loss: mean over the training examples.
            valid_loss, metrics: of the validation examples, every metric of the task; default: those of the network as
                it is now.

        Raises:
            Diverged: a loss is not finite.
            ValueError: there were as many reports as epochs, or loss or metrics are missing.
        """
        if self.epoch >= self._budget.epochs:
            raise ValueError(f"report was called more often than there are epochs, {self._budget.epochs}")
        if (valid_loss is None) is not (metrics is None):
            raise ValueError("report takes valid_loss and metrics together, or neither")
        scores: dict[str, bytes] = {}
        if metrics is None or valid_loss is None:
            valid_loss, metrics, scores = self._validated()
        if missing := [name for name in self._data.task.metrics if name not in metrics]:
            raise ValueError(f"report has no metric {missing[0]}; it takes every one of the task")
        if not (math.isfinite(train_loss) and math.isfinite(valid_loss)):
            raise Diverged(f"the loss is not finite after epoch {self.epoch + 1}")
        self.epoch += 1
        own = {name: float(metrics[name]) for name in self._data.task.metrics}
        main = own[self._data.task.spec.metric]
        self._hand_over(Epoch(self.epoch, float(train_loss), float(valid_loss), main, own, scores))

    def _validated(self) -> tuple[float, dict[str, float], dict[str, bytes]]:
        data, task, was = self._data.on_device, self._data.task, self._network.training
        found, statistics = scored(
            self._network, data.valid, data, task, self._budget.training, self._budget.checkpoint
        )
        self._network.train(was)
        keep = to_keep(task.metrics, statistics)
        scores = in_bytes(keep, torch.cat([part.cpu() for part in keep.values()])) if keep else {}
        loss, *values = found.tolist()
        return loss, dict(zip(task.metrics, values, strict=True)), scores
