"""A split on its way to the device that trains: batches, wherever the examples come from."""

import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from evonas.inputs import mapped
from evonas.tasks.task import Array, Split

Batch = tuple[Any, Tensor]
"""Examples as they are stored, (n, ...) or several such tensors by name, and their targets (n, ...), on the device."""


class Examples(Protocol):
    """A split on its way to the device: a trainer sees batches, wherever they come from.

    The batches of one seed are the same for every implementation, so that training is, too.
    """

    def __len__(self) -> int:
        """How many examples there are."""

    def shuffled(self, batch: int, generator: Generator) -> Iterator[Batch]:
        """Full batches in a random order; what is left beyond the last full one waits for another shuffle.

        Args:
            batch: examples in each.
            generator: on the device; the order is `torch.randperm` there, the first that is drawn from it.
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
        yield from map(self.at, self.rows(batch, generator))

    def rows(self, batch: int, generator: Generator) -> Iterator[Tensor]:
        """(batch,) the rows of each batch of `shuffled`."""
        order = torch.randperm(len(self), generator=generator, device=self._y.device)
        for i in range(len(self) // batch):
            yield order[i * batch : (i + 1) * batch]

    def at(self, rows: Tensor) -> Batch:
        """The examples of some rows."""
        return mapped(lambda x: x[rows], self._x), self._y[rows]

    def in_order(self, batch: int) -> Iterator[Batch]:
        for i in range(0, len(self), batch):
            yield mapped(lambda x: x[i : i + batch], self._x), self._y[i : i + batch]  # noqa: B023


def _tensor(array: Array, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        # Arrays from an object store are read-only; nothing here writes into them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)
