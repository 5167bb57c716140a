"""Changes of images drawn for each image, a few one after another, on the device and without a loop over examples.

After RandAugment (Cubuk et al. 2020): a number of changes, and one strength for all of them. What differs: the
changes are fewer and cheap (no equalise, solarise, colour, sharpness or shear); images are standardised, so brightness
is added and contrast scales around the image's mean; the direction of each is drawn; what moves in is the mean of the
training images.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

OPS = ("none", "brightness", "contrast", "posterise", "rotation", "shift down", "shift right")
BRIGHTNESS, CONTRAST, ANGLE, SHIFT = 1.0, 0.9, math.radians(30), 0.45
"""At full strength: deviations that are added, a factor of 0.1 or 1.9, degrees, and a share of the side."""
BITS, FEWEST_BITS = 8, 2
"""Posterised images have 2^bits levels between their darkest and brightest number, fewer the stronger."""


def random_ops(x: Tensor, count: int, strength: float, generator: Generator) -> Tensor:
    """Change each image in its own way.

    Args:
        x: (n, channels, height, width) standardised images.
        count: changes of each, one after another.
        strength: from 0, nothing, to 1.
        generator: of all that is drawn, on the device of `x`.
    """
    for _ in range(count):
        op = torch.randint(len(OPS), (len(x),), generator=generator, device=x.device)
        sign = 2 * torch.randint(2, (len(x),), generator=generator, device=x.device) - 1
        x = _moved(_recoloured(x, op, sign * strength, strength), op, sign * strength)
    return x


def _is(op: Tensor, name: str) -> Tensor:
    return op == OPS.index(name)


def _recoloured(x: Tensor, op: Tensor, signed: Tensor, strength: float) -> Tensor:
    op, signed = op[:, None, None, None], signed[:, None, None, None]
    mean, low, high = x.mean((1, 2, 3), keepdim=True), x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    steps = 2 ** round(BITS - strength * (BITS - FEWEST_BITS)) - 1
    span = (high - low).clamp(min=1e-12) / steps
    x = torch.where(_is(op, "posterise"), ((x - low) / span).round() * span + low, x)
    x = torch.where(_is(op, "brightness"), x + BRIGHTNESS * signed, x)
    return torch.where(_is(op, "contrast"), mean + (x - mean) * (1 + CONTRAST * signed), x)


def _moved(x: Tensor, op: Tensor, signed: Tensor) -> Tensor:
    """Rotated and shifted, between pixels; 0 moves in."""
    height, width = x.shape[-2:]
    angle = _is(op, "rotation") * signed * ANGLE
    down, right = (_is(op, f"shift {way}") * signed * 2 * SHIFT for way in ("down", "right"))
    across, along = angle.sin() * (height / width), angle.sin() * (width / height)
    rows = [torch.stack([angle.cos(), -across, right], 1), torch.stack([along, angle.cos(), down], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    moved = F.grid_sample(x, grid, align_corners=False)
    return torch.where((op >= OPS.index("rotation"))[:, None, None, None], moved, x)
