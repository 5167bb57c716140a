"""The examples of a task that a search may see, as batches on the device that trains."""

import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn

from evonas.inputs import mapped, size
from evonas.tasks.task import Array, Split, Task

Batch = tuple[Any, Tensor]
"""Examples as they are stored, (n, ...) or several such tensors by name, and their targets (n, ...), on the device."""


class Examples(Protocol):
    """A split on its way to the device: a trainer sees batches, wherever they come from."""

    def __len__(self) -> int:
        """How many examples there are."""

    def shuffled(self, batch: int, generator: Generator) -> Iterator[Batch]:
        """Full batches in a random order; what is left beyond the last full one waits for another shuffle.

        Args:
            batch: examples in each.
            generator: on the device; the order is the first that is drawn from it.
        """

    def in_order(self, batch: int) -> Iterator[Batch]:
        """All examples, `batch` at a time; the last batch may be smaller."""


class Resident:
    """All examples lie on the device.

    Args:
        split: its arrays. On a CPU nothing is copied.
        device: where they go.
    """

    def __init__(self, split: Split, device: torch.device) -> None:
        self._x, self._y = mapped(lambda array: _tensor(array, device), split.x), _tensor(split.y, device)

    def __len__(self) -> int:
        return len(self._y)

    def shuffled(self, batch: int, generator: Generator) -> Iterator[Batch]:
        order = torch.randperm(len(self), generator=generator, device=self._y.device)
        for i in range(len(self) // batch):
            rows = order[i * batch : (i + 1) * batch]
            yield mapped(lambda x: x[rows], self._x), self._y[rows]  # noqa: B023  (used at once)

    def in_order(self, batch: int) -> Iterator[Batch]:
        for i in range(0, len(self), batch):
            yield mapped(lambda x: x[i : i + batch], self._x), self._y[i : i + batch]  # noqa: B023


@dataclass(frozen=True, slots=True, eq=False)
class DeviceData:
    """What a search may see of a task, on the device it trains on; examples in the type they are stored in."""

    device: torch.device
    train: Examples
    valid: Examples
    prepare: nn.Module

    def sample(self, count: int) -> Batch:
        """The first `count` training examples, as a copy."""
        x, y = next(self.train.in_order(count))
        return mapped(torch.clone, x), y.clone()


def to_device(task: Task, device: torch.device | str) -> DeviceData:
    """The task's training and validation examples and its `prepare` on a device. On a CPU nothing is copied."""
    device = torch.device(device)
    return DeviceData(
        device,
        train=Resident(task.splits.train, device),
        valid=Resident(task.splits.valid, device),
        prepare=copy.deepcopy(task.prepare).to(device).eval(),
    )


def numbers(x: Any) -> int:
    """Numbers in one example of a batch."""
    parts: list[Tensor] = list(x.values()) if isinstance(x, dict) else [x]
    return sum(part.numel() for part in parts) // size(x)


def _tensor(array: Array, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        # Arrays from an object store are read-only; nothing here writes into them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)
