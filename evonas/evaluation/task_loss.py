"""What a task's loss gives for its examples, and that training can lower it."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.tasks.stored_array import taken
from evonas.tasks.task import Task
from evonas.text import describe_error

ROWS = 256
NUMBERS = 2**20
"""Training examples that the loss is tried with, and numbers of their made-up outputs, at most."""
WANTED = "a loss takes (output, target, label_smoothing) and gives a scalar tensor of a floating-point type"


class _LossError(Exception):
    """The loss cannot be trained with. The message is one line."""


def check_loss(task: Task, label_smoothing: float = 0.0) -> None:
    """Try the loss of a task with its training examples and made-up outputs: normally distributed ones or, where the
    loss cannot take these, shares from 0 to 1.

    Args:
        task: with its data.
        label_smoothing: of the config.

    Raises:
        UserError: the loss raises, or gives anything but a scalar that has a gradient.
    """
    refusals: list[_LossError] = []
    for draw in (np.random.Generator.standard_normal, np.random.Generator.random):
        try:
            with torch.random.fork_rng(devices=[]):
                _try(task, label_smoothing, draw)
            return
        except _LossError as refusal:
            refusals.append(refusal)
    raise UserError(f"task {task.spec.name}: {refusals[0]}; {WANTED}") from refusals[0]


def _try(task: Task, label_smoothing: float, draw: Callable[..., Any]) -> None:
    shape, targets = task.spec.output_shape, task.splits.train.y
    count = min(len(targets), ROWS, max(1, NUMBERS // max(1, math.prod(shape))))
    y = torch.from_numpy(np.array(taken(targets, np.arange(count))))
    output = torch.from_numpy(draw(np.random.default_rng(0), (count, *shape), dtype=np.float32)).requires_grad_()
    loss = copy.deepcopy(task.loss) if isinstance(task.loss, nn.Module) else task.loss
    try:
        value = loss(output, y, label_smoothing)
    except Exception as error:
        shapes = f"outputs {tuple(output.shape)} and targets {tuple(y.shape)}"
        raise _LossError(f"the loss of {shapes} raises {describe_error(error)}") from error
    if not isinstance(value, Tensor):
        raise _LossError(f"the loss gives a {type(value).__name__}")
    if value.ndim:
        raise _LossError(f"the loss gives the shape {tuple(value.shape)}: take the mean")
    if not value.is_floating_point():
        raise _LossError(f"the loss gives {str(value.dtype).removeprefix('torch.')}")
    if not value.requires_grad:
        raise _LossError("the loss has no gradient: compute it of the output, with torch")
