"""What a search may see of a task, on the device that trains."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from evonas.evaluation.batches.device_memory import resident, room
from evonas.evaluation.batches.examples import Batch, Examples, Resident
from evonas.evaluation.batches.streaming import Streaming
from evonas.inputs import mapped, size
from evonas.tasks.task import Split, Task


@dataclass(frozen=True, slots=True, eq=False)
class DeviceData:
    """What a search may see of a task, on the device it trains on; examples in the type they are stored in.

    Args:
        validation_parts: so many times smaller validation passes are than they would be, where memory has run out.
    """

    device: torch.device
    train: Examples
    valid: Examples
    prepare: nn.Module
    augment: nn.Module | None = None
    validation_parts: int = 1

    def sample(self, count: int) -> Batch:
        """The first `count` training examples, as a copy."""
        x, y = next(self.train.in_order(count))
        return mapped(torch.clone, x), y.clone()


def to_device(task: Task, device: torch.device | str) -> DeviceData:
    """The examples that a search sees, `prepare` and `augment` of a task on a device.

    On a CPU nothing is copied; what a GPU has no room for is streamed to it.
    """
    device = torch.device(device)
    train, valid = task.splits.train, task.splits.valid
    train_fits, valid_fits = resident(train, valid, device)
    return DeviceData(
        device,
        train=examples_on(train, device, train_fits),
        valid=examples_on(valid, device, valid_fits),
        prepare=copy.deepcopy(task.prepare).to(device).eval(),
        augment=None if task.augment is None else copy.deepcopy(task.augment).to(device),
    )


def examples_on(split: Split, device: torch.device, fits: bool | None = None) -> Examples:
    """A split for a device: all of it lies there, or it is streamed where it does not fit or is not in memory.

    Args:
        split: the examples.
        device: where they go.
        fits: whether there is room for them; default: as if they were the only ones.
    """
    if fits is None:
        fits = split.nbytes <= room(device)
    return Resident(split, device) if fits and not split.is_stored else Streaming(split, device)


def numbers(x: Any) -> int:
    """Numbers in one example of a batch."""
    parts: list[Tensor] = list(x.values()) if isinstance(x, dict) else [x]
    return sum(part.numel() for part in parts) // size(x)
