"""Networks that give an answer at each pixel: how deep, how wide, and of which blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.records import TaskSpec
from evonas.spaces.genes import Arch, Choice, Integer
from evonas.spaces.options import beyond, first_and_last, image_shape, listed, some, values_of
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Block = Literal["double", "residual", "separable"]
Norm = Literal["none", "batch", "group"]
Upsampling = Literal["transposed", "nearest", "bilinear"]
Activation = Literal["relu", "hardswish", "silu"]


class UNet(Space):
    """U-Net (Ronneberger et al. 2015) for images whose output is an image: (outputs, height, width), as high and wide.

    Down through levels, each with half the height and width and twice the channels of the one before, and up again,
    where each level sees what it had on the way down, too. A size that does not divide is rounded up on the way down
    and cut on the way up.

    Args:
        levels: the least and the largest number of halvings.
        widths: channels of the first level.
        blocks: of a level. double: two 3x3 convolutions; residual: these beside a shortcut (Zhang et al. 2018);
            separable: each of them of each channel for itself, then of all channels at each pixel (Howard et al. 2017).
        norms: what follows a convolution: none, as in the paper, batch normalisation, or group normalisation (Wu & He
            2018), which does not depend on the batch.
        upsamplings: how the size doubles: by a transposed 2x2 convolution, as in the paper, or by a 1x1 one and
            the nearest pixel or what lies between pixels.
        activations: of the whole network.
    """

    def __init__(
        self,
        *,
        levels: tuple[int, int] = (1, 4),
        widths: int | Sequence[int] = (4, 8, 16, 32),
        blocks: Sequence[Block] = get_args(Block),
        norms: Sequence[Norm] = ("batch", "group"),
        upsamplings: Sequence[Upsampling] = ("transposed", "nearest"),
        activations: Sequence[Activation] = ("relu", "silu"),
    ) -> None:
        self.levels = Integer(*first_and_last("levels", levels))
        self.width = Choice(*listed("widths", widths, least=2))
        self.block = Choice(*some("blocks", blocks, get_args(Block)))
        self.norm = Choice(*some("norms", norms, get_args(Norm)))
        self.upsampling = Choice(*some("upsamplings", upsamplings, get_args(Upsampling)))
        self.activation = Choice(*some("activations", activations, get_args(Activation)))

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the input is no image, or the output no image of the same size."""
        _, *size = image_shape("unet", task)
        if len(task.output_shape) != 3 or list(task.output_shape[1:]) != size:
            raise ValueError(
                f"unet gives (outputs, {size[0]}, {size[1]}), as high and wide as its input, not outputs of "
                f"{task.output_shape}"
            )

    def task_notes(self, task: TaskSpec) -> list[str]:
        """Levels below that of one pixel."""
        _, *size = image_shape("unet", task)
        halvings = (max(size) - 1).bit_length()
        one = f"pictures of {size[0]} x {size[1]} are one pixel after {halvings}; what is below sees no more of them"
        return beyond("levels", values_of(self.leaves, "levels"), halvings, one)

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where `check_task` does."""
        from evonas.spaces.unet_network import UNetwork  # a driver samples and breeds without torch

        self.check_task(task)
        return UNetwork(arch, image_shape("unet", task)[0], task.output_shape[0])
