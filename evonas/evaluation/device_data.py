"""The examples of a task that a search may see, on the device that trains."""

import copy
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.tasks.task import Array, Task


@dataclass(frozen=True, slots=True, eq=False)
class DeviceData:
    """What a search may see of a task, on the device it trains on; examples in the type they are stored in."""

    device: torch.device
    x_train: Tensor
    y_train: Tensor
    x_valid: Tensor
    y_valid: Tensor
    prepare: nn.Module


def to_device(task: Task, device: torch.device | str) -> DeviceData:
    """The task's training and validation examples and its `prepare` on a device. On a CPU nothing is copied."""
    device = torch.device(device)
    train, valid = task.splits.train, task.splits.valid
    return DeviceData(
        device,
        x_train=_tensor(train.x, device),
        y_train=_tensor(train.y, device),
        x_valid=_tensor(valid.x, device),
        y_valid=_tensor(valid.y, device),
        prepare=copy.deepcopy(task.prepare).to(device).eval(),
    )


def _tensor(array: Array, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        # Arrays from an object store are read-only; nothing here writes into them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)
