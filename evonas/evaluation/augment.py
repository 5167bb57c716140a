"""Random changes of a batch of training images, on the device they lie on, no loop over examples.

Images are float (n, channels, height, width), standardised: what is painted over or padded is 0, the mean. All
randomness comes from the generator that is given, which lives on the images' device.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from evonas.config import AugmentConfig
from evonas.inputs import in_words
from evonas.records import Inputs, InputSpec


def check(config: AugmentConfig, inputs: Inputs) -> None:
    """Raises ValueError where the augmentation does not fit the task's examples."""
    if config == AugmentConfig():
        return
    input_shape = inputs.shape if isinstance(inputs, InputSpec) else ()
    if len(input_shape) != 3:
        raise ValueError(
            f"augment is for images (channels, height, width), not for examples {in_words(inputs)}; leave it out"
        )
    if (side := max(config.crop, config.cutout)) > min(input_shape[1:]):
        raise ValueError(f"augment: {side} pixels are more than an image of {input_shape[1]} x {input_shape[2]} has")


def augment(x: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Pad and crop, then flip, then cutout, each where the config asks for it."""
    if config.crop:
        x = crop(x, config.crop, generator)
    if config.flip:
        x = flip(x, generator)
    if config.cutout:
        x = cutout(x, config.cutout, generator)
    return x


def crop(x: Tensor, padding: int, generator: Generator) -> Tensor:
    """Each image moved by -padding .. padding pixels in both directions; zeros move in."""
    n, _, height, width = x.shape
    windows = F.pad(x, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    top, left = _draw(2 * padding + 1, (2, n), generator)
    return windows[torch.arange(n, device=x.device), :, top, left]


def flip(x: Tensor, generator: Generator) -> Tensor:
    """Each image mirrored left to right with probability 1/2."""
    mirrored = _draw(2, (len(x), 1, 1, 1), generator).bool()
    return torch.where(mirrored, x.flip(3), x)


def cutout(x: Tensor, side: int, generator: Generator) -> Tensor:
    """A square set to 0 around a random pixel of each image, cut off at the borders (DeVries & Taylor 2017)."""
    n, _, height, width = x.shape
    rows = _within(_draw(height, (n, 1), generator), side, height)
    columns = _within(_draw(width, (n, 1), generator), side, width)
    hole = rows[:, :, None] & columns[:, None, :]
    return x.masked_fill(hole[:, None], 0.0)


def _within(centre: Tensor, side: int, length: int) -> Tensor:
    """(n, 1) centres -> (n, length): which positions the square covers."""
    distance = torch.arange(length, device=centre.device) - centre + side // 2
    return (distance >= 0) & (distance < side)


def _draw(below: int, shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randint(below, shape, generator=generator, device=generator.device)
