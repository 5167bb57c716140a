"""A space of one's own whose networks read tokens, and a task of tokens: which of two stands there more often."""

import numpy as np
import torch
from torch import Tensor, nn

from evonas import Arch, Choice, Integer, Repeat, Space, Split, Splits, Task, TaskSpec
from evonas.records import InputSpec
from evonas.spaces import SPACES
from evonas.tasks import TASKS
from evonas.tasks.metrics import CLASSIFICATION_METRICS, directions

LENGTH, VOCABULARY = 12, 6


class Reader(nn.Module):
    """Token ids (n, tokens) -> logits (n, outputs)."""

    def __init__(self, arch: Arch, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, arch.width)
        layers = [layer for block in arch.blocks for layer in (nn.LazyLinear(block.width), nn.ReLU())]
        self.body = nn.Sequential(*layers, nn.LazyLinear(outputs))
        self.body(torch.zeros(1, arch.width))

    def forward(self, tokens: Tensor) -> Tensor:
        output: Tensor = self.body(self.embedding(tokens).mean(1))
        return output


class Readers(Space):
    width = Choice(2, 4, 8, 16)
    blocks = Repeat(Integer(0, 3), width=Choice(4, 8))

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        assert isinstance(task.input, InputSpec)
        assert task.input.high is not None
        return Reader(arch, task.input.high, task.outputs)


class AsTokens(nn.Module):
    """Bytes, as they are stored -> what an embedding takes."""

    def forward(self, x: Tensor) -> Tensor:
        return x.long()


def majority(*, examples: int = 300) -> Task:
    """Class 1 where the token 1 stands more often than the token 0. Stored in bytes."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, VOCABULARY, (3 * examples, LENGTH)).astype(np.uint8)
    y = ((x == 1).sum(1) > (x == 0).sum(1)).astype(np.int64)
    splits = Splits(*(Split(x[i::3], y[i::3]) for i in range(3)))
    metrics = {"error": CLASSIFICATION_METRICS["error"](2)}
    spec = TaskSpec("majority", InputSpec((LENGTH,), "int64", VOCABULARY), (2,), directions(metrics))
    return Task(spec, splits, AsTokens(), metrics=metrics)


SPACES["readers"] = Readers
TASKS["majority"] = majority
