"""Small spaces, data and configs that the tests of this folder share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.config import Config
from evonas.config.loading import load_config
from evonas.evaluation import Evaluator
from evonas.objectives.objectives import Objectives
from evonas.records import UNKNOWN, Candidate, Evaluation, Fitness, Job, RungReport, RunKind, TaskSpec
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from evonas.tasks import Split, Splits, Task, classification


def conv_net(width: int, task: TaskSpec) -> nn.Sequential:
    """conv3x3 - BN - ReLU - conv3x3/2 - BN - ReLU - mean - linear."""
    return nn.Sequential(
        nn.Conv2d(task.input_shape[0], width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, task.outputs),
    )


class ConvNets(Space):
    width = Choice(2, 4, 16, 64)

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return conv_net(arch.width, task)


class Mood(nn.Module):
    """A linear net that does something to its output, in training mode only."""

    def __init__(self, mood: str, task: TaskSpec) -> None:
        super().__init__()
        self.mood = mood
        self.linear = nn.Linear(int(np.prod(task.input_shape)), task.outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x.flatten(1))
        if not self.training:
            return out
        if self.mood == "no number":
            return out * float("nan")
        if self.mood == "huge":
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you ..."
            )
        if self.mood == "memory":
            raise MemoryError
        if self.mood == "bug":
            raise KeyError("the line\nand more of it")
        return out


class Moods(Space):
    """What can go wrong with a user's network, and "good", with which nothing does."""

    mood = Choice("good", "no number", "huge", "memory", "bug", "raises", "shape", "list", "frozen", "text")

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        if arch.mood == "raises":
            raise ValueError("width 3 does not divide by heads 2\nsecond line")
        if arch.mood == "shape":
            return nn.Flatten()
        if arch.mood == "list":
            return nn.Identity()
        if arch.mood == "frozen":
            return nn.Sequential(nn.Flatten(), nn.Linear(64, task.outputs).requires_grad_(False))
        if arch.mood == "text":
            return "a network"  # type: ignore[return-value]
        return Mood(arch.mood, task)


def bars_task(n: int = 192, side: int = 8, seed: int = 0) -> Task:
    """Images with a bright row (class 0) or column (class 1): learnt within an epoch or two."""
    rng = np.random.default_rng(seed)

    def split() -> Split:
        x = rng.integers(0, 128, (n, 1, side, side)).astype(np.uint8)
        y = rng.integers(0, 2, n)
        at = rng.integers(0, side, n)
        for i in range(n):
            x[i, 0, at[i] if y[i] == 0 else slice(None), at[i] if y[i] == 1 else slice(None)] = 255
        return Split(x, y)

    return classification("bars", Splits(split(), split(), split()))


def config(training: Mapping[str, Any] | None = None, **sections: Any) -> Config:
    """error and parameters; 2 epochs of batches of 32."""
    return load_config(
        {
            "space": {"kind": "mine"},
            "task": {"kind": "mine"},
            "objectives": [{"metric": "error"}, {"metric": "params"}],
            "training": {"epochs": 2, "batch_size": 32, **(training or {})},
            "budget": {"evaluations": 1},
            **sections,
        }
    )


def evaluator(
    space: Space | None = None, task: Task | None = None, of: Config | None = None, begun: RunKind = UNKNOWN
) -> Evaluator:
    task, of = task or bars_task(), of or config()
    return Evaluator(space or ConvNets(), task, of, Objectives(of, task.spec), begun=begun)


def job(
    gene: int = 1,
    *,
    index: int = 5,
    seed: int = 7,
    cutoffs: tuple[tuple[Fitness, ...], ...] = (),
    front: tuple[Fitness, ...] = (),
    reached: tuple[RungReport, ...] = (),
) -> Job:
    return Job(Candidate(index, (gene,), (), "random", 0, seed), cutoffs, front, reached)


def run(evaluate: Evaluator, what: Job) -> tuple[list[RungReport], Evaluation]:
    """The reports that were yielded, and the evaluation, which comes last and once."""
    *passed, last = evaluate(what)
    assert isinstance(last, Evaluation)
    assert last.candidate == what.candidate
    reports = [item for item in passed if isinstance(item, RungReport)]
    assert len(reports) == len(passed)
    assert all(np.isfinite(list(last.metrics.values())))
    assert "\n" not in last.message
    return reports, last


def global_state() -> tuple[Any, ...]:
    """What a part must leave alone: torch's random state, its threads, its default type."""
    onednn: Any = torch.backends.mkldnn
    return torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_default_dtype(), onednn.enabled
