"""Training one network: a generator over epochs, a function of (network, data, config, seed) alone.

Every epoch draws from streams of its own, keyed by (seed, epoch): shuffles, augmentation, and torch's global state
for what a network itself draws (dropout). On a CPU the curve and the weights are the same bits each time.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Generator, Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from evonas.config import TrainingConfig
from evonas.evaluation.augment import augment
from evonas.evaluation.device_data import DeviceData
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.records import Epoch
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


def optimizer_for(network: nn.Module, config: TrainingConfig) -> Optimizer:
    """SGD with Nesterov momentum, or AdamW. Biases and norms (vectors and scalars) do not decay."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return AdamW(groups, config.learning_rate, betas=(config.momentum, 0.999))
    return SGD(groups, config.learning_rate, config.momentum, nesterov=config.momentum > 0)


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


def to_channels_last(x: Tensor) -> Tensor:
    """Images as channels-last in memory: small conv nets train 1.2-1.9 times as fast so, on CPUs too."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


class Trainer:
    """One network on its way through training.

    network: on `data.device`; it is trained in place. checkpoint: called between two steps, which it may delay.
    """

    def __init__(
        self,
        network: nn.Module,
        data: DeviceData,
        task: Task,
        config: TrainingConfig,
        seed: int,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        if data.x_train.ndim == 4:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        self.data, self.task, self.config, self.seed = data, task, config, seed
        self.optimizer = optimizer_for(network, config)
        self.batch = min(config.batch_size, len(data.x_train))
        self.steps = len(data.x_train) // self.batch
        self._checkpoint = checkpoint
        self._rate = SCHEDULES[config.schedule]

    def epochs(self) -> Iterator[Epoch]:
        """Trains, and says after each epoch how it went.

        Raises:
            Diverged: a loss or a metric is not finite.
        """
        for epoch in range(self.config.epochs):
            seed = seed_for(self.seed, "epoch", epoch)
            with cpu_threads(self.config.threads), seeded(seed, self.data.device):
                sums = torch.cat([self._train(epoch, seed), self._validate()])
                values = sums.tolist()  # the only time in an epoch that the host waits for the device
            if not all(map(math.isfinite, values)):
                raise Diverged(f"a loss or the metric is not finite after epoch {epoch + 1}; try a lower learning_rate")
            yield Epoch(epoch + 1, *values)

    def step(self, x: Tensor, y: Tensor, generator: Generator) -> Tensor:
        """One update from a batch as it is stored; returns the loss before it."""
        inputs = to_channels_last(augment(self.data.prepare(x), self.config.augment, generator))
        self.optimizer.zero_grad()
        with autocast(self.config, self.data.device):
            output = self.network(inputs)
        loss = self.task.loss(output.float(), y, self.config.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.config.grad_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.grad_clip)
        self.optimizer.step()
        return loss.detach()

    def _train(self, epoch: int, seed: int) -> Tensor:
        """(1,) the mean loss of an epoch. Examples beyond the last full batch wait for another shuffle."""
        device, data = self.data.device, self.data
        generator = Generator(device).manual_seed(seed)
        order = torch.randperm(len(data.x_train), generator=generator, device=device)
        total = torch.zeros(1, dtype=torch.float64, device=device)
        self.network.train()
        for i in range(self.steps):
            self._set_rate((epoch * self.steps + i) / (self.config.epochs * self.steps))
            rows = order[i * self.batch : (i + 1) * self.batch]
            total += self.step(data.x_train[rows], data.y_train[rows], generator)
            self._checkpoint()
        return total / self.steps

    def _set_rate(self, progress: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * self._rate(progress)

    @torch.inference_mode()
    def _validate(self) -> Tensor:
        """(2,) mean loss and mean score of the validation examples."""
        data, size = self.data, validation_batch(self.data)
        total = torch.zeros(2, dtype=torch.float64, device=data.device)
        self.network.eval()
        for i in range(0, len(data.x_valid), size):
            x, y = data.x_valid[i : i + size], data.y_valid[i : i + size]
            with autocast(self.config, data.device):
                output = self.network(to_channels_last(data.prepare(x)))
            output = output.float()
            loss = self.task.loss(output, y, 0.0)
            total += torch.stack([loss * len(x), self.task.score(output, y).sum()])
            self._checkpoint()
        return total / len(data.x_valid)


def validation_batch(data: DeviceData) -> int:
    """Examples in one validation pass: many on a GPU; on a CPU as many as its caches hold (measured: 2^16 numbers)."""
    if data.device.type != "cpu":
        return 2048
    return min(1024, max(64, 2**16 // data.x_valid[0].numel()))
