"""Causal convolutions over a sequence: how deep and wide, and how far each layer looks back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.genes import Arch, Choice, Integer, Repeat
from evonas.spaces.options import beyond, first_and_last, listed, shares, some, values_of
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Convolution = Literal["full", "separable"]
Activation = Literal["relu", "silu"]


class TCN(Space):
    """Temporal convolutional networks (Bai et al. 2018) for tokens (length,) and series (channels, length).

    Residual blocks of a dilated convolution that looks back and never ahead. A task whose output is (length, classes)
    gets an answer at each place, which does not depend on what comes behind it, as for the next character. Any other
    output is made of the mean over all places and of the last one.

    Args:
        widths: channels of all blocks.
        layers: the least and the largest number of blocks.
        kernels: places that a block's convolution takes in.
        dilations: how far these are apart.
        convolutions: of a block. full: each channel of all; separable: of each channel for itself.
        activations: of the whole network.
        dropout: shares of a block's outputs that are dropped in training, one for all blocks.
    """

    def __init__(
        self,
        *,
        widths: int | Sequence[int] = (16, 32, 64),
        layers: tuple[int, int] = (1, 5),
        kernels: int | Sequence[int] = (2, 3, 5),
        dilations: int | Sequence[int] = (1, 2, 4, 8),
        convolutions: Sequence[Convolution] = get_args(Convolution),
        activations: Sequence[Activation] = get_args(Activation),
        dropout: Sequence[float] = (0.0, 0.1),
    ) -> None:
        self.width = Choice(*listed("widths", widths))
        self.blocks = Repeat(
            Integer(*first_and_last("layers", layers)),
            convolution=Choice(*some("convolutions", convolutions, get_args(Convolution))),
            kernel=Choice(*listed("kernels", kernels, least=2)),
            dilation=Choice(*listed("dilations", dilations)),
        )
        self.activation = Choice(*some("activations", activations, get_args(Activation)))
        self.dropout = Choice(*shares("dropout", dropout))

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the input is neither tokens nor a series, or the output has other axes."""
        if not _takes(task.input):
            raise ValueError(
                "tcn builds networks for tokens (length,) of whole numbers and series (channels, length), not for "
                f"inputs of {in_words(task.input)}"
            )
        if len(task.output_shape) != 1 and task.output_shape[:-1] != task.input_shape[-1:]:
            raise ValueError(
                f"tcn gives (outputs,), or (length, outputs) as long as its input, not outputs of {task.output_shape}"
            )

    def task_notes(self, task: TaskSpec) -> list[str]:
        """What is longer than the input."""
        length = task.input_shape[-1]
        longer = f"more than an input of {length} places; the rest of a kernel takes in zeros"
        far = f"no two of an input of {length} places are so far apart; a kernel takes in one and zeros"
        notes = beyond("kernels", values_of(self.leaves, "kernel"), length, longer)
        return [*notes, *beyond("dilations", values_of(self.leaves, "dilation"), length - 1, far)]

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where `check_task` does."""
        from evonas.spaces.tcn_network import network  # a driver samples and breeds without torch

        self.check_task(task)
        return network(arch, task)


def _takes(inputs: object) -> bool:
    """Whether they are tokens or a series."""
    return isinstance(inputs, InputSpec) and len(inputs.shape) == (1 if inputs.is_integer else 2)
