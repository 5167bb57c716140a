"""A supernet is trained: in each step a few networks of the space learn from one batch, with the weights of one bank.

The weights of a network are copies of the bank's, and their gradients are added up there: the same numbers as of views
that gradients flow through, for every kind of module.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.training.precision import precision
from evonas.evaluation.training.schedules import SCHEDULES
from evonas.evaluation.training.step import Step
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.records import Genome
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.supernet.bank import Bank
from evonas.supernet.networks import Networks
from evonas.supernet.sampling import SAMPLINGS, SamplingName
from evonas.supernet.updates import BankUpdates
from evonas.tasks.task import Task
from evonas.text import counted, describe_error, in_time

REPORTS = 20
Say = Callable[[str], None]


class SupernetTrainer:
    """Trains the bank of a space.

    Args:
        space: the networks.
        task: what they learn.
        data: the task's examples on the device.
        config: as a network alone is trained; `epochs` are those of the supernet.
        seed: of what is drawn.
        sampling: which networks are trained in a step.
        say: takes lines for people.
        checkpoint: called between two networks, which it may delay.
    """

    def __init__(
        self,
        space: Space,
        task: Task,
        data: DeviceData,
        config: TrainingConfig,
        seed: int,
        sampling: SamplingName,
        say: Say,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        dtype = precision(config, data.device)
        self._dtype = "float32" if dtype == "float16" else dtype  # whose loss would have to be scaled
        self._config = config.model_copy(update={"grad_clip": 0.0})  # it is the sum that is clipped
        self._task, self._data, self._seed, self._say = task, data, seed, say
        self._checkpoint = checkpoint
        self._networks = Networks(space, task.spec, data.device, seed)
        self._sampled = SAMPLINGS[sampling](space, seed)
        self._batch = min(config.batch_size, len(data.train))
        self.steps = len(data.train) // self._batch
        self.bank = Bank()
        self._updates = BankUpdates(self.bank, config)
        self.trained, self.failed = 0, 0
        """Networks that were trained for a step, and those that could not be built or trained."""
        self._failure = ""

    def train(self) -> Bank:
        """Train from the first epoch to the last.

        Raises:
            UserError: no network of a step can be trained, or the loss is not finite.
        """
        start, epochs = time.monotonic(), self._config.epochs
        for epoch in range(epochs):
            loss = self._epoch(epoch)
            if not math.isfinite(loss):
                raise UserError(
                    f"the supernet's loss is not finite after epoch {epoch + 1}; give a lower training.learning_rate"
                )
            if (epoch + 1) % -(-epochs // REPORTS) == 0 or epoch + 1 == epochs:
                left = (time.monotonic() - start) / (epoch + 1) * (epochs - epoch - 1)
                self._say(f"epoch {epoch + 1:,} of {epochs:,}: loss {loss:.4g}, {in_time(left)} left")
        if self.failed:
            self._say(f"{counted(self.failed, 'network')} left out, such as one with {self._failure}")
        return self.bank

    def _epoch(self, epoch: int) -> float:
        """The mean loss of its networks."""
        seed, device = seed_for(self._seed, "supernet epoch", epoch), self._data.device
        generator = Generator(device).manual_seed(seed)
        losses: list[Tensor] = []
        with cpu_threads(self._config.threads), seeded(seed, device):
            for i, (x, y) in enumerate(self._data.train.shuffled(self._batch, generator)):
                losses += self._step(next(self._sampled), x, y, generator)
                progress = (epoch * self.steps + i) / (self._config.epochs * self.steps)
                rate = SCHEDULES[self._config.schedule](progress, self._config.rises_for)
                self._updates.step(self._config.learning_rate * rate)
        return float(torch.stack(losses).mean())

    def _step(self, genomes: list[Genome], x: Any, y: Tensor, generator: Generator) -> list[Tensor]:
        losses = list(self._losses(genomes, x, y, generator))
        if not losses:
            raise UserError(f"no network of a step can be trained: {self._failure}")
        return losses

    def _losses(self, genomes: list[Genome], x: Any, y: Tensor, generator: Generator) -> Iterator[Tensor]:
        for genome in genomes:
            try:
                network = self._networks(genome)
                self.bank.admit(network)
                self.bank.give(network)
                own = self._updates.of(network)
                step = Step(network.train(), self._data, self._task, self._config, self._dtype, own)
                loss = step(x, y, generator)
            except Exception as error:  # a candidate that a search would record as failed
                self.failed, self._failure = self.failed + 1, describe_error(error)
                continue
            self.trained += 1
            self._checkpoint()
            yield loss
