"""Fully connected networks: how deep, how wide, and what stands between their layers."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.genes import Arch, Choice, Integer, Repeat
from evonas.spaces.options import listed
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["relu", "hardswish", "silu"]


class MLP(Space):
    """Fully connected networks for vectors, such as rows of a table; what has more axes is flattened.

    Args:
        layers: the least and the largest number of hidden layers.
        widths: of a hidden layer; each layer has its own.
        activations: of the whole network.
        dropout: shares of a layer's outputs that are dropped in training (Srivastava et al. 2014), one for all layers.
        norm: whether a layer has batch normalisation before its activation.
    """

    def __init__(
        self,
        *,
        layers: tuple[int, int] = (1, 3),
        widths: int | Sequence[int] = (8, 16, 32, 64, 128),
        activations: Sequence[Activation] = ("relu", "silu"),
        dropout: Sequence[float] = (0.0, 0.2),
        norm: Sequence[bool] = (False, True),
    ) -> None:
        if not 1 <= layers[0] <= layers[1]:
            raise ValueError(f"layers: takes the least, of 1 or more, and the largest number, not {list(layers)}")
        if not activations or not set(activations) <= set(get_args(Activation)):
            raise ValueError(f"activations: takes some of {', '.join(get_args(Activation))}, not {list(activations)}")
        if not dropout or not all(0 <= share < 1 for share in dropout):
            raise ValueError(f"dropout: takes shares from 0 to below 1, not {list(dropout)}")
        self.hidden = Repeat(Integer(*layers), width=Choice(*listed("widths", widths)))
        self.activation = Choice(*activations)
        self.dropout = Choice(*dropout)
        self.norm = Choice(*norm)

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the task's input is no single tensor of floating-point numbers."""
        if not isinstance(task.input, InputSpec) or task.input.is_integer or not task.input.shape:
            raise ValueError(f"mlp builds networks for vectors (features), not for inputs of {in_words(task.input)}")

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where the task's input is no single tensor of floating-point numbers."""
        from torch import nn  # a driver samples and breeds without torch

        from evonas.spaces.blocks import ACTIVATIONS

        self.check_task(task)
        inputs = math.prod(task.input_shape)
        parts: list[nn.Module] = [nn.Flatten()]
        for layer in arch.hidden:
            parts += [nn.Linear(inputs, layer.width)]
            parts += [nn.BatchNorm1d(layer.width)] if arch.norm else []
            parts += [ACTIVATIONS[arch.activation]()]
            parts += [nn.Dropout(arch.dropout)] if arch.dropout else []
            inputs = layer.width
        return nn.Sequential(*parts, nn.Linear(inputs, task.outputs))
