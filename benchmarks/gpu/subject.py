"""What is trained and measured: images as CIFAR-10 has them, three networks of its space, and the loop of a search."""

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.config import Config
from evonas.config.loading import load_config
from evonas.config.training import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.training.loop import Trainer
from evonas.records import InputSpec
from evonas.spaces.cell_network import cell_network
from evonas.tasks import Split, Splits, Task, classification

WARM_UP = 10
"""Steps that are not timed: kernels are chosen, a graph is captured."""
SHAPE = (3, 32, 32)
INPUT = InputSpec(SHAPE)


@cache
def task(examples: int) -> Task:
    """Ten classes, told apart by a faint pattern: they can be learnt, and no pixel is always zero."""
    draw = np.random.default_rng(0)
    means = draw.integers(0, 127, (10, *SHAPE), dtype=np.uint8)

    def split(count: int) -> Split:
        y = draw.integers(0, 10, count)
        return Split(draw.integers(0, 128, (count, *SHAPE), dtype=np.uint8) + means[y], y)

    return classification("like CIFAR-10", Splits(split(examples), split(max(64, examples // 10)), split(64)))


def examples(dry: bool) -> int:
    """How many there are: as many as CIFAR-10 has, or a few."""
    return 128 if dry else 50_000


def config(dry: bool, **training: Any) -> Config:
    """That of a search on the local GPU, with the recipe of configs/cifar10.yaml.

    Args:
        dry: On a CPU, with small batches.
        training: What differs in that section.
    """
    target = {"device": "cpu"} if dry else {"device": "cuda", "graph": True}
    recipe = {
        "epochs": 2,
        "batch_size": 32 if dry else 512,
        "learning_rate": 0.4,
        "label_smoothing": 0.1,
        "augment": {"crop": 4, "flip": True, "cutout": 8},
    }
    return load_config(
        {
            "space": {"kind": "mine"},
            "task": {"kind": "mine"},
            "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "gpu"}],
            "targets": {"gpu": {"max_seconds": 0.2 if dry else 5.0, **target}},
            "training": {**recipe, **training},
            "budget": {"evaluations": 1},
        }
    )


def has_graph() -> bool:
    """Whether this evonas can replay a whole training step as a CUDA graph."""
    return "graph" in TrainingConfig.model_fields


def _cells(ops: tuple[str, ...], channels: int, depths: list[int]) -> nn.Module:
    return cell_network(SHAPE, 10, 4, ops, None, channels, depths)


CONV = ("conv3x3", "skip", "conv3x3", "conv1x1", "skip", "conv3x3")
NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "small": lambda: _cells(("skip", "none", "none", "conv1x1", "none", "conv3x3"), 16, [1, 1, 1]),
    "mid": lambda: _cells(CONV, 24, [1, 2, 2]),
    "large": lambda: _cells(("sepconv5x5",) * 3 + CONV[3:], 32, [3, 3, 3]),
}
"""Of the space of configs/cifar10.yaml: few kernels and bytes a step, a middling number, many."""


def data(dry: bool) -> DeviceData:
    """The examples on the device."""
    return to_device(task(examples(dry)), torch.device("cpu") if dry else torch.device("cuda", 0))


def trainer(
    name: str, data: DeviceData, dry: bool, *, callbacks: Mapping[str, Any] | None = None, **training: Any
) -> Trainer:
    """One network on its way through very many epochs.

    Args:
        name: Of the network.
        data: The examples.
        dry: As of the config.
        callbacks: `checkpoint` and `stepped` of the trainer.
        training: What differs in the section of the config.
    """
    torch.manual_seed(0)
    recipe = config(dry, **{"epochs": 100_000, **training}).training
    return Trainer(NETWORKS[name]().to(data.device), data, task(examples(dry)), recipe, 0, **(callbacks or {}))


class Enough(Exception):
    """The steps were timed for long enough."""


class Stepping:
    """Times the steps of a training's own loop, without its validation.

    Args:
        seconds: For how long.
        synchronize: Waits until the device has done what it was given.
        ready: Called once it has warmed up; it may wait for others.
    """

    def __init__(
        self, seconds: float, synchronize: Callable[[], None], ready: Callable[[], None] = lambda: None
    ) -> None:
        self._seconds, self._synchronize, self._ready = seconds, synchronize, ready
        self.steps, self.took_s = 0, 0.0
        self._passed = self._since_step = 0
        self._since: float | None = None
        self.epoch_steps = 0  # set once the trainer is made

    def stepped(self) -> None:
        """To be called behind each step."""
        self._passed += 1
        last = self._passed % self.epoch_steps == 0
        if self._passed == WARM_UP:
            self._synchronize()
            self._ready()
        if self._passed < WARM_UP or not (last or self._since is None or self._passed % 10 == 0):
            return
        self._synchronize()
        now = time.perf_counter()
        if self._since is not None:
            self.steps += self._passed - self._since_step
            self.took_s += now - self._since
        self._since, self._since_step = (None if last else now), self._passed
        if self.took_s >= self._seconds:
            raise Enough

    def run(self, trainer: Trainer) -> float:
        """Trains, and returns steps a second."""
        self.epoch_steps = trainer.steps
        try:
            for _ in trainer.epochs():
                pass
        except Enough:
            pass
        return self.steps / self.took_s


def synchronize() -> None:
    """Waits for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
