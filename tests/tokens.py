"""Language models over tokens, as a user could write them: a space, a task with whole numbers as its input, a config.

evonas.search(config(), space=LanguageModels(), task=language(), run=folder)
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.records import InputSpec, TaskSpec
from evonas.spaces import Arch, Choice, Integer, Space
from evonas.tasks import Split, Splits, Task
from evonas.tasks.metrics import TaskMetric

TOKENS, VOCABULARY = 32, 27
INPUT = InputSpec((TOKENS,), "int64", high=VOCABULARY)


class LanguageModel(nn.Module):
    """(N, tokens) whole numbers -> (N, tokens, vocabulary) logits of the next one."""

    def __init__(self, body: nn.Module, width: int, tokens: int, vocabulary: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Embedding(tokens, width)
        self.layers = nn.ModuleList([body, nn.LayerNorm(width)])
        self.head = nn.Linear(width, vocabulary)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1], device=x.device)
        h = self.token(x) + self.place(places[None])
        for layer in self.layers:
            h = layer(h)
        return self.head(h)  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]  # type: ignore[no-any-return]


class Causal(nn.Module):
    """Attention to the tokens before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True))  # type: ignore[no-any-return]


class LanguageModels(Space):
    mixer = Choice("gru", "attention")
    width = Choice(8, 16)
    layers = Integer(1, 2)

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        tokens, vocabulary = task.output_shape
        attention = nn.Sequential(*(Causal(arch.width) for _ in range(arch.layers)))
        body = Recurrent(arch.width, arch.layers) if arch.mixer == "gru" else attention
        return LanguageModel(body, arch.width, tokens, vocabulary)


def token_loss(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross entropy of (n, tokens, vocabulary) and (n, tokens)."""
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), label_smoothing=label_smoothing)


def example_loss(output: Tensor, target: Tensor) -> Tensor:
    """(n,) cross entropy, mean over the tokens of each example."""
    return F.cross_entropy(output.transpose(1, 2), target, reduction="none").mean(1)


def perplexity(losses: Tensor) -> Tensor:
    return losses[:, 0].double().mean().exp()


def language(examples: int = 64, seed: int = 0) -> Task:
    """Words of four letters in a random order, written one after another; the next letter is to be told."""
    random = np.random.default_rng(seed)
    words = random.integers(1, VOCABULARY, (8, 5))
    words[:, -1] = 0  # the space between words
    text = words[random.integers(0, len(words), 8 * examples)].reshape(-1)[: examples * (TOKENS + 1)]
    rows = text.reshape(examples, TOKENS + 1)
    train, valid, test = (Split(rows[part::3, :-1].copy(), rows[part::3, 1:].copy()) for part in range(3))
    spec = TaskSpec("language", INPUT, (TOKENS, VOCABULARY), {"perplexity": "minimize"})
    metrics = {"perplexity": TaskMetric(example_loss, perplexity)}
    return Task(spec, Splits(train, valid, test), nn.Identity(), token_loss, metrics)


def config(**changes: Any) -> dict[str, Any]:
    """A serial search of four candidates, with their latency in PyTorch and in ONNX Runtime."""
    return {
        "space": {"kind": "LanguageModels"},
        "task": {"kind": "language"},
        "objectives": [{"metric": "perplexity"}, *({"metric": "latency_ms", "target": name} for name in TARGETS)],
        "targets": TARGETS,
        "strategy": {"kind": "random"},
        "training": {"epochs": 1, "batch_size": 16},
        "budget": {"evaluations": 4},
        "runtime": {"kind": "serial"},
        **changes,
    }


TARGETS = {
    "torch": {"max_seconds": 0.3},
    "onnx": {"backend": "onnxruntime", "max_seconds": 0.3},
}
