"""Augmentation of spectrograms by masking: SpecAugment (Park et al. 2019), without its warping of time."""

import torch
from torch import Generator, Tensor, nn


class Masking(nn.Module):
    """Sets some neighbouring bands, and some neighbouring frames, of each training example to 0, which is their mean.

    Args:
        bands: a mask over bands is from 0 to so many wide.
        frames: likewise over frames.
        masks: of either kind.
    """

    def __init__(self, bands: int, frames: int, masks: int) -> None:
        super().__init__()
        self.bands, self.frames, self.masks = bands, frames, masks

    def forward(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Spectrograms (n, 1, bands, frames) and targets; each example has masks of its own."""
        for _ in range(self.masks):
            x = x.masked_fill(_some(len(x), x.shape[2], self.bands, generator)[:, None, :, None], 0.0)
            x = x.masked_fill(_some(len(x), x.shape[3], self.frames, generator)[:, None, None, :], 0.0)
        return x, y


def _some(n: int, length: int, most: int, generator: Generator) -> Tensor:
    """(n, length) bool: in each row up to `most` neighbours, all lengths and places alike."""
    width, place = torch.rand((2, n, 1), generator=generator, device=generator.device)
    width = (width * (most + 1)).floor()
    start = (place * (length - width + 1)).floor()
    at = torch.arange(length, device=generator.device)
    inside: Tensor = (at >= start) & (at < start + width)
    return inside
