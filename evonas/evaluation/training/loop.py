"""Training one network: a generator over epochs, a function of (network, data, config, seed) alone.

Every epoch draws from streams of its own, keyed by (seed, epoch): shuffles, augmentation, and torch's global state
for what a network itself draws (dropout). On a CPU the curve and the weights are the same bits each time.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Generator, Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.batches.examples import Examples, Resident
from evonas.evaluation.training.alternating_flip import AlternatingFlip
from evonas.evaluation.training.averaging import WeightAverage
from evonas.evaluation.training.data_parallel import DataParallel
from evonas.evaluation.training.distillation import Teacher
from evonas.evaluation.training.example_scores import in_bytes, to_keep
from evonas.evaluation.training.graph import Capture, CudaCapture, Replayed
from evonas.evaluation.training.mixed_precision import LossScale
from evonas.evaluation.training.optimizers import Optimizer
from evonas.evaluation.training.precision import precision
from evonas.evaluation.training.saved_state import epoch_of, load_parts, to_bytes
from evonas.evaluation.training.schedules import SCHEDULES
from evonas.evaluation.training.scoring import scored
from evonas.evaluation.training.step import Step
from evonas.evaluation.training.stochastic_depth import StochasticDepth
from evonas.measuring.kept_memory import keep_memory
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.records import Epoch, InputSpec
from evonas.seeding import seed_for
from evonas.tasks.task import Task


class Diverged(Exception):
    """A loss or a metric became infinite or not a number."""


class Trainer:
    """One network on its way through training.

    Args:
        network: on `data.device`; it is trained in place.
        data: the task's examples on the device.
        task: whose loss is lowered.
        config: how.
        seed: of shuffles, augmentation and what the network draws itself.
        checkpoint: called between two steps, which it may delay.
        teacher: whose outputs it learns from too; None: from the targets alone.
        stepped: called behind each step.
        parallel: the processes that train it together; None: this one alone.
        capture: how a step becomes one graph; None: on a GPU as the config says, elsewhere not at all.
    """

    def __init__(
        self,
        network: nn.Module,
        data: DeviceData,
        task: Task,
        config: TrainingConfig,
        seed: int,
        checkpoint: Callable[[], None] = lambda: None,
        teacher: Teacher | None = None,
        stepped: Callable[[], None] = lambda: None,
        parallel: DataParallel | None = None,
        capture: Capture | None = None,
    ) -> None:
        if isinstance(task.spec.input, InputSpec) and len(task.spec.input.shape) == 3:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if data.device.type == "cpu":
            keep_memory()
        self.network = network
        self.data, self.task, self.config, self.seed = data, task, config, seed
        self.batch = min(config.batch_size, len(data.train))
        self.steps = len(data.train) // self.batch
        self.epoch = 0
        """Epochs trained so far."""
        if capture is None and config.graph and data.device.type == "cuda" and parallel is None:
            capture = CudaCapture(data.device)
        dtype = precision(config, data.device)
        scale = LossScale(data.device) if dtype == "float16" else None
        fused = data.device.type == "cuda" or scale is not None or capture is not None
        self.optimizer = Optimizer(network, config, fused)
        self._step = Step(network, data, task, config, dtype, self.optimizer, scale, teacher, parallel)
        self._flips = AlternatingFlip(len(data.train), seed, data.device) if _alternates(config) else None
        begin = 0 if config.ema else round(self.steps * config.epochs * (1 - config.average))
        self._average = WeightAverage(network, begin, config.ema) if config.average or config.ema else None
        self._depth = StochasticDepth(network, config.stochastic_depth)
        self._checkpoint, self._stepped = checkpoint, stepped
        self._rate = SCHEDULES[config.schedule]
        self._total = torch.zeros(1, dtype=torch.float64, device=data.device)
        self._generator = Generator(data.device)
        self._graph = Replayed(self._learn, [self._generator], capture) if capture else None

    def epochs(self) -> Iterator[Epoch]:
        """Train from where it stands to the last epoch, and say after each how it went.

        Raises:
            Diverged: a loss is not finite.
        """
        for epoch in range(self.epoch, self.config.epochs):
            seed = seed_for(self.seed, "epoch", epoch)
            with cpu_threads(self.config.threads), seeded(seed, self.data.device):
                (train_loss, valid_loss, *metrics), scores = self._one_epoch(epoch, seed)
            if not (math.isfinite(train_loss) and math.isfinite(valid_loss)):
                raise Diverged(f"the loss is not finite after epoch {epoch + 1}; try a lower learning_rate")
            self.epoch = epoch + 1
            named = dict(zip(self.task.metrics, metrics, strict=True))
            yield Epoch(self.epoch, train_loss, valid_loss, metrics[0], named, scores)

    def step(self, x: Any, y: Tensor, generator: Generator) -> Tensor:
        """One update from a batch as it is stored.

        Returns:
            The loss before it, a scalar.
        """
        return self._step(x, y, generator)

    @property
    def depth_note(self) -> str:
        """That there is nothing for stochastic depth to leave out; empty where there is, or nobody asked for it."""
        asked = self.config.stochastic_depth and not self._depth.branches
        return "off: the network has no residual branches" if asked else ""

    @property
    def graph_note(self) -> str:
        """Whether steps are replayed as a graph, or why they are not; empty where nobody asked for that."""
        if not self._graph:
            return "eager: graphs are of GPUs" if self.config.graph and self.data.device.type == "cpu" else ""
        return "graph" if self._graph.captured else f"eager: {self._graph.refused or 'too few steps for a graph'}"

    def state(self) -> bytes:
        """All that training goes on from, in safetensors: network, optimiser, epoch. For `load`."""
        return to_bytes(self._states(), self.epoch, self.config.batch_size)

    def load(self, state: bytes) -> None:
        """Go on from a `state`, to the bit where the device computes the same each time.

        Raises:
            ValueError: it is of another network.
        """
        load_parts(self._states(), state)
        self.epoch = epoch_of(state)

    def _states(self) -> dict[str, Any]:
        """What has a state, the network first."""
        average = {"average": self._average} if self._average else {}
        scale = {"scale": self._step.scale} if self._step.scale else {}
        return {"network": self.network, "optimizer": self.optimizer, **average, **scale}

    def _one_epoch(self, epoch: int, seed: int) -> tuple[list[float], dict[str, bytes]]:
        """Training loss, validation loss and metrics; and the scores of the examples, since a learner may end here."""
        trained = self._train(epoch, seed)
        ends = epoch + 1 == self.config.epochs
        if ends and self._average:
            self._average.apply()
        with nullcontext() if ends or not self._average else self._average.applied():
            validated, statistics = self._scored(self.data.valid)
        keep, sums = to_keep(self.task.metrics, statistics), [trained, validated]
        found = torch.cat([*sums, *keep.values()]).cpu()  # the only wait of the host for the device in an epoch
        first = sum(map(len, sums))
        return found[:first].tolist(), in_bytes(keep, found[first:])

    def _train(self, epoch: int, seed: int) -> Tensor:
        """(1,) the mean loss of an epoch."""
        self._generator.manual_seed(seed)
        self._total.zero_()
        self.network.train()
        with self._depth.applied():
            for i, batch in enumerate(self._batches(epoch, seed)):
                self._set_rate((epoch * self.steps + i) / (self.config.epochs * self.steps))
                (self._graph or self._learn)(*batch)
                if self._average:
                    self._average.update()
                self._stepped()
                self._checkpoint()
        return self._total / self.steps

    def _batches(self, epoch: int, seed: int) -> Iterator[tuple[Any, ...]]:
        """What `_learn` takes: a batch or, where a graph picks them, its rows; and which images are flipped."""
        data, generator = self.data.train, self._generator
        if self._graph and isinstance(data, Resident):
            found: Iterator[tuple[Any, ...]] = ((rows,) for rows in data.rows(self.batch, generator))
        else:
            found = data.shuffled(self.batch, generator)
        if not self._flips:
            return found
        again = Generator(self.data.device).manual_seed(seed)
        return ((*batch, m) for batch, m in zip(found, self._flips.mirrored(epoch, self.batch, again), strict=True))

    def _learn(self, *batch: Any) -> None:
        """A step, of which nothing is left to the host but the call."""
        mirrored = batch[-1] if self._flips else None
        parts = batch[:-1] if self._flips else batch
        x, y = parts if len(parts) == 2 else self.data.train.at(*parts)  # type: ignore[attr-defined]
        if mirrored is None:
            self._total += self.step(x, y, self._generator)
        else:
            self._total += self._step(x, y, self._generator, mirrored)

    def _set_rate(self, progress: float) -> None:
        self.optimizer.rate = self.config.learning_rate * self._rate(progress, self.config.rises_for)

    def _scored(self, examples: Examples) -> tuple[Tensor, dict[str, Tensor]]:
        return scored(self.network, examples, self.data, self.task, self.config, self._checkpoint)


def _alternates(config: TrainingConfig) -> bool:
    return config.augment.flip == "alternating"
