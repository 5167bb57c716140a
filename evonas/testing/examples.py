"""Small networks and a small task that suites use where none is given."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.inputs import example, mapped
from evonas.records import Inputs, InputSpec, TaskSpec
from evonas.seeding import stream
from evonas.tasks.constructors import classification
from evonas.tasks.task import Split, Splits, Task

IMAGE = InputSpec((3, 8, 8))
TOKENS = InputSpec((6,), "int64", 11)
SEVERAL: dict[str, InputSpec] = {"image": IMAGE, "tokens": TOKENS}
OUTPUTS = 5


class Scaled(nn.Module):
    """What a task does to stored examples: images in bytes become numbers from 0 to 1."""

    def forward(self, x: Any) -> Any:
        return mapped(lambda part: part.float() / 255 if part.dtype == torch.uint8 else part, x)


class OfTokens(nn.Module):
    """Whole numbers (n, 6) below 11 -> (n, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.linear = nn.Embedding(11, 4), nn.Linear(4, OUTPUTS)

    def forward(self, tokens: Tensor) -> Tensor:
        output: Tensor = self.linear(self.embedding(tokens).mean(1))
        return output


class OfBoth(nn.Module):
    """An image and tokens, by name -> (n, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.images, self.tokens = of_images(), OfTokens()

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        output: Tensor = self.images(image) + self.tokens(tokens)
        return output


def of_images(width: int = 4, outputs: int = OUTPUTS, channels: int = 3) -> nn.Sequential:
    """Images (n, channels, height, width) -> (n, outputs); statistics and modes are not those of a new network."""
    norm = nn.BatchNorm2d(width)
    norm.running_mean = torch.linspace(-1, 1, width)
    network = nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        norm,
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, outputs),
    )
    norm.eval()
    return network


def networks() -> list[tuple[str, nn.Module, Inputs]]:
    """Name, network and what it takes: images, whole numbers, several inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [("images", of_images(), IMAGE), ("tokens", OfTokens(), TOKENS), ("several inputs", OfBoth(), SEVERAL)]


def network_for(spec: TaskSpec) -> nn.Module:
    """A network for a task of images, the same at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return of_images(outputs=spec.outputs, channels=spec.input_shape[0])


def task() -> Task:
    """Two classes of images (1, 8, 8): those with a bright row, those with a bright column."""

    def split(part: str, n: int = 128) -> Split:
        rng = stream(0, part)
        x = rng.integers(0, 128, (n, 1, 8, 8)).astype(np.uint8)
        y, at = rng.integers(0, 2, n), rng.integers(0, 8, n)
        for i in range(n):
            x[i, 0, at[i] if y[i] == 0 else slice(None), at[i] if y[i] == 1 else slice(None)] = 255
        return Split(x, y)

    return classification("bars", Splits(split("train"), split("valid"), split("test")), ("error", "f1"))


def batch(inputs: Inputs, count: int, seed: int = 0) -> Any:
    """A made-up batch as tensors."""
    return mapped(torch.from_numpy, example(inputs, count, seed))
