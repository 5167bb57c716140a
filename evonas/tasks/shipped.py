"""A network as it is shipped: with what the task does to stored examples before it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.inputs import called, mapped
from evonas.records import DTYPES, Inputs, InputSpec
from evonas.tasks.rescale import Rescale
from evonas.tasks.stored_array import Column
from evonas.tasks.task import Array, Task

LOOKED_AT = 64
"""Training examples by which the largest whole number of a stored input is known."""


class Shipped(nn.Module):
    """A network with what the task does to stored examples before it, and to its output behind it, if anything; floats
    reach it in its own precision."""

    def __init__(self, prepare: nn.Module, network: nn.Module, finish: nn.Module | None = None) -> None:
        super().__init__()
        self.prepare, self.network, self.finish = prepare, network, finish

    def forward(self, *parts: Tensor, **named: Tensor) -> Any:
        dtype = next((weights.dtype for weights in self.network.parameters()), torch.float32)
        output = called(self.network, mapped(lambda part: _in(part, dtype), self.prepare(named or parts[0])))
        return output if self.finish is None else self.finish(output)


def _in(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype) if x.is_floating_point() and x.dtype != dtype else x


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a task does to stored examples, and to what comes of them.

    Args:
        module: the task's `prepare`.
        inputs: what it takes: the examples as they are stored.
        finish: the task's `finish`.
    """

    module: nn.Module
    inputs: Inputs
    finish: Rescale | None = None

    def around(self, network: nn.Module) -> Shipped:
        """A network as it is shipped."""
        return Shipped(self.module, network, self.finish)


def preparation(task: Task) -> Preparation:
    """What a task does to stored examples, and what those are.

    Args:
        task: with its data, of which a few examples are read.

    Raises:
        UserError: the examples are stored in a type that networks cannot take in.
    """
    train = task.splits.train
    some, _ = train.read(np.arange(min(LOOKED_AT, len(train))))
    named = some if isinstance(some, dict) else {"": some}
    specs = {name: _stored(task, name, column, named[name]) for name, column in train.columns.items()}
    return Preparation(task.prepare, specs.get("", specs), task.finish)


def _stored(task: Task, name: str, column: Column, some: Array) -> InputSpec:
    shape, dtype = column.shape[1:], column.dtype.newbyteorder("=").name
    wanted = task.spec.input if isinstance(task.spec.input, InputSpec) else task.spec.input.get(name)
    if wanted is not None and (wanted.shape, wanted.dtype) == (shape, dtype):
        return wanted
    if dtype not in DTYPES:
        raise UserError(
            f"task {task.spec.name}: examples are stored in {dtype}, with which no network can be measured; store "
            f"{', '.join(DTYPES)}, or measure the network alone: targets.T.includes: network"
        )
    return InputSpec(shape, dtype, 1 + max(0, int(some.max())) if "int" in dtype else None)
