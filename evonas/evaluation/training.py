"""Training one network: a generator over epochs, a function of (network, data, config, seed) alone.

Every epoch draws from streams of its own, keyed by (seed, epoch): shuffles, augmentation, and torch's global state
for what a network itself draws (dropout). On a CPU the curve and the weights are the same bits each time.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors.torch import save
from torch import Generator, Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.augment import augment
from evonas.evaluation.data_parallel import DataParallel
from evonas.evaluation.device_data import DeviceData, numbers
from evonas.evaluation.distillation import Teacher
from evonas.evaluation.example_scores import in_bytes, to_keep
from evonas.evaluation.examples import Examples
from evonas.evaluation.optimizers import Optimizer
from evonas.evaluation.task_metrics import rows
from evonas.inputs import called
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.records import Epoch, InputSpec
from evonas.seeding import seed_for
from evonas.tasks.task import Task

WARM_UP = 0.3
"""Share of a one-cycle training in which the learning rate rises."""


class Diverged(Exception):
    """A loss or a metric became infinite or not a number."""


def one_cycle(progress: float) -> float:
    """Share of the peak learning rate at `progress` in [0, 1]: a linear rise from 1/25, then a half cosine to 0.

    Smith, "Super-convergence", 2018; momentum is held, where the paper lowers it at the peak.
    """
    if progress < WARM_UP:
        return 0.04 + 0.96 * progress / WARM_UP
    return cosine((progress - WARM_UP) / (1 - WARM_UP))


def cosine(progress: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter, "SGDR", 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float], float]] = {"one_cycle": one_cycle, "cosine": cosine}


def precision(config: TrainingConfig, device: torch.device) -> str:
    """ "float32" or "bfloat16", which needs no loss scaling: its exponent is float32's."""
    if config.precision != "auto":
        return config.precision
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if able else "float32"


def autocast(config: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    if precision(config, device) == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def to_channels_last(x: Any) -> Any:
    """Images as channels-last in memory: small conv nets train 1.2-1.9 times as fast so, on CPUs too."""
    return x.contiguous(memory_format=torch.channels_last) if isinstance(x, Tensor) and x.ndim == 4 else x


@dataclass(frozen=True, slots=True)
class Scores:
    """How a network does on the examples of a split.

    Args:
        loss: the mean an example.
        metrics: each metric of the task by name.
    """

    loss: float
    metrics: Mapping[str, float]


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
    ) -> None:
        if isinstance(task.spec.input, InputSpec) and len(task.spec.input.shape) == 3:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        self.data, self.task, self.config, self.seed = data, task, config, seed
        self.optimizer = Optimizer(network, config)
        self.batch = min(config.batch_size, len(data.train))
        self.steps = len(data.train) // self.batch
        self.epoch = 0
        """Epochs trained so far."""
        self._checkpoint, self._stepped, self._teacher = checkpoint, stepped, teacher
        self._parallel = parallel
        self._rate = SCHEDULES[config.schedule]

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
        if self._parallel:
            x, y = self._parallel.share(x, y)
        x = self.data.prepare(x)
        if self.data.augment is not None:
            x, y = self.data.augment(x, y, generator)
        x, y = augment(x, y, self.config.augment, self.task.effects, generator)
        inputs = to_channels_last(x)
        self.optimizer.zero_grad()
        with autocast(self.config, self.data.device):
            output = called(self.network, inputs)
        loss = self.task.loss(output.float(), y, self.config.label_smoothing)
        if self._teacher:
            loss = self._teacher.mixed(loss, inputs, output.float())
        loss.backward()  # type: ignore[no-untyped-call]
        if self._parallel:
            self._parallel.average(self.network.parameters())
        if self.config.grad_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.grad_clip)
        self.optimizer.step()
        return self._parallel.mean(loss.detach()) if self._parallel else loss.detach()

    def state(self) -> bytes:
        """All that training goes on from, in safetensors: network, optimiser, epoch. For `load`."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state_dict().items()}
        return save(copied(tensors), {"epoch": str(self.epoch)})

    def load(self, state: bytes) -> None:
        """Go on from a `state`, to the bit where the device computes the same each time.

        Raises:
            ValueError: it is of another network.
        """
        tensors = safetensors.torch.load(state)
        try:
            self.network.load_state_dict(_below("network.", tensors))
            self.optimizer.load_state_dict(_below("optimizer.", tensors))
        except (RuntimeError, ValueError, KeyError) as error:
            raise ValueError(f"the state is of another network: {str(error).splitlines()[0]}") from None
        head = int.from_bytes(state[:8], "little")
        self.epoch = int(json.loads(state[8 : 8 + head])["__metadata__"]["epoch"])

    def _one_epoch(self, epoch: int, seed: int) -> tuple[list[float], dict[str, bytes]]:
        """Training loss, validation loss and metrics; and the scores of the examples, since a learner may end here."""
        trained = self._train(epoch, seed)
        validated, statistics = self._scored(self.data.valid)
        keep, sums = to_keep(self.task.metrics, statistics), [trained, validated]
        found = torch.cat([*sums, *keep.values()]).cpu()  # the only wait of the host for the device in an epoch
        first = sum(map(len, sums))
        return found[:first].tolist(), in_bytes(keep, found[first:])

    def _train(self, epoch: int, seed: int) -> Tensor:
        """(1,) the mean loss of an epoch."""
        device = self.data.device
        generator = Generator(device).manual_seed(seed)
        total = torch.zeros(1, dtype=torch.float64, device=device)
        self.network.train()
        for i, (x, y) in enumerate(self.data.train.shuffled(self.batch, generator)):
            self._set_rate((epoch * self.steps + i) / (self.config.epochs * self.steps))
            total += self.step(x, y, generator)
            self._stepped()
            self._checkpoint()
        return total / self.steps

    def _set_rate(self, progress: float) -> None:
        self.optimizer.rate = self.config.learning_rate * self._rate(progress)

    def _scored(self, examples: Examples) -> tuple[Tensor, dict[str, Tensor]]:
        return scored(self.network, examples, self.data, self.task, self.config, self._checkpoint)


def score(
    network: nn.Module, examples: Examples, data: DeviceData, task: Task, config: TrainingConfig | None = None
) -> Scores:
    """How a network does on a split: validation, test, or whatever was put on the device.

    Args:
        network: on `data.device`; it is left in evaluation mode.
        examples: those to score, e.g. `examples_on(task.splits.test, data.device)`.
        data: whose `prepare` and device are used.
        task: whose loss and metrics are computed.
        config: of the precision; default: that of a search.
    """
    numbers, _ = scored(network, examples, data, task, config or TrainingConfig())
    loss, *metrics = numbers.tolist()
    return Scores(loss, dict(zip(task.metrics, metrics, strict=True)))


@torch.inference_mode()
def scored(
    network: nn.Module,
    examples: Examples,
    data: DeviceData,
    task: Task,
    config: TrainingConfig,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """How a network does on a split, on the device.

    Returns:
        (1 + metrics,) float64: the mean loss, then each metric of the task; and the statistics that each metric was
        reduced from, (N, k) of all examples.

    Raises:
        MetricError: the statistics of a metric are not one row an example.
    """
    total = torch.zeros((), dtype=torch.float64, device=data.device)
    parts: dict[str, list[Tensor]] = {name: [] for name in task.metrics}
    for output, y in outputs(network, examples, data, config):
        total += task.loss(output, y, 0.0) * len(y)
        for name, metric in task.metrics.items():
            parts[name].append(rows(name, metric.statistics(output, y), len(y)))
        checkpoint()
    statistics = {name: torch.cat(own) for name, own in parts.items()}
    values = [metric.reduce(statistics[name]) for name, metric in task.metrics.items()]
    return torch.stack([total / len(examples), *(value.double().reshape(()) for value in values)]), statistics


@torch.inference_mode()
def outputs(
    network: nn.Module, examples: Examples, data: DeviceData, config: TrainingConfig
) -> Iterator[tuple[Tensor, Tensor]]:
    """What a network, which is left in evaluation mode, gives for all examples in order: batches of outputs in float32
    and targets, on the device."""
    network.eval()
    for x, y in examples.in_order(validation_batch(data, examples)):
        with autocast(config, data.device):
            output = called(network, to_channels_last(data.prepare(x)))
        yield output.float(), y


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors takes them: on the CPU, contiguous, each with memory of its own."""
    return {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def validation_batch(data: DeviceData, examples: Examples) -> int:
    """Examples in one validation pass: many on a GPU; on a CPU as many as its caches hold (measured: 2^16 numbers)."""
    if data.device.type != "cpu":
        return 2048
    x, _ = next(examples.in_order(1))
    return min(1024, max(64, 2**16 // numbers(x)))
