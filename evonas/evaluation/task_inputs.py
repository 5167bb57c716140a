"""What a task's `prepare` gives of its examples, and that it is what the task's spec says."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.inputs import mapped
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.task import Task
from evonas.text import describe_error

ROWS = 64
"""Examples of a split that are prepared, at even distances."""


def check_inputs(task: Task) -> None:
    """Prepare some training and validation examples.

    Args:
        task: with its data.

    Raises:
        UserError: `prepare` is no module, raises, or gives what the spec does not say.
    """
    if not isinstance(task.prepare, nn.Module):
        raise UserError(f"task {task.spec.name}: prepare is a {type(task.prepare).__name__}, not an nn.Module")
    prepare = copy.deepcopy(task.prepare).cpu().eval()
    for split in (task.splits.train, task.splits.valid):
        rows = np.unique(np.linspace(0, len(split) - 1, ROWS, dtype=np.int64))
        x = mapped(lambda part: torch.from_numpy(np.array(part)), split.read(rows)[0])
        try:
            with torch.inference_mode():
                inputs = prepare(x)
        except Exception as error:
            raise UserError(f"task {task.spec.name}: prepare raises {describe_error(error)}") from error
        try:
            compare(inputs, task.spec, len(rows))
        except ValueError as error:
            raise UserError(f"task {task.spec.name}: {error}") from None


def compare(inputs: Any, spec: TaskSpec, count: int) -> None:
    """Hold prepared examples to a spec.

    Args:
        inputs: what `prepare` gave.
        spec: of the task.
        count: of the examples.

    Raises:
        ValueError: a name, a shape, a dtype or a number is another than the spec says.
    """
    wanted = {"": spec.input} if isinstance(spec.input, InputSpec) else dict(spec.input)
    found = dict(inputs) if isinstance(inputs, Mapping) else {"": inputs}
    if found.keys() != wanted.keys():
        raise ValueError(f"prepare gives the inputs {list(found)}, the spec names {list(wanted)}")
    for name, one in wanted.items():
        tensor, where, shape = found[name], f"prepare{f': {name}' if name else ''}", (count, *one.shape)
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{where} gave a {type(tensor).__name__}, not a tensor")
        if tensor.shape != shape:
            raise ValueError(f"{where} gave {tuple(tensor.shape)} for {count} examples, the spec says {shape}")
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype != one.dtype:
            raise ValueError(f"{where} gave {dtype}, the spec says {one.dtype}")
        if one.high is not None:
            low, top = int(tensor.min()), int(tensor.max())
            if low < 0 or top >= one.high:
                raise ValueError(f"{where} gave numbers {low} to {top}, the spec 0 to {one.high - 1}")
        elif not bool(tensor.isfinite().all()):
            raise ValueError(f"{where} gave a number that is not finite")
