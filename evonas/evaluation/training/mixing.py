"""Mixup and cutmix: each example of a batch is mixed with another one, and learns both of their classes.

Batches are shuffled, so that the other one is the example at the same place from the end. One share is drawn for a
batch, as in the papers' code.
"""

import torch
from torch import Generator, Tensor

from evonas.config.augment import AugmentConfig


def mixed(x: Tensor, config: AugmentConfig, generator: Generator) -> tuple[Tensor, Tensor]:
    """Mix a batch with itself in reverse order, by one of the ways that the config asks for.

    Args:
        x: (n, ...) numbers; of cutmix (n, channels, height, width).
        config: with `mixup` or `cutmix`, or both, of which each batch draws one.
        generator: of all that is drawn, on the device of `x`.

    Returns:
        The mixed batch, and the share that an example's own class has in its loss, a scalar.
    """
    other = x.flip(0)
    if not config.cutmix:
        return _mixup(x, other, config.mixup, generator)
    if not config.mixup:
        return _cutmix(x, other, config.cutmix, generator)
    ways = zip(_mixup(x, other, config.mixup, generator), _cutmix(x, other, config.cutmix, generator), strict=True)
    first = torch.rand((), generator=generator, device=x.device) < 0.5
    blended, share = (torch.where(first, one, two) for one, two in ways)
    return blended, share


def _mixup(x: Tensor, other: Tensor, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Weighted means (Zhang et al. 2018)."""
    share = _beta(alpha, generator)
    return share * x + (1 - share) * other, share


def _cutmix(x: Tensor, other: Tensor, alpha: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """A rectangle of the other image, of the proportions of the image, cut off at its borders (Yun et al. 2019)."""
    height, width = x.shape[-2:]
    side = (1 - _beta(alpha, generator)).sqrt()
    rows, columns = _covered(height, side, generator), _covered(width, side, generator)
    inside = rows[:, None] & columns
    return torch.where(inside, other, x), 1 - inside.float().mean()


def _covered(length: int, share: Tensor, generator: Generator) -> Tensor:
    """(length,) bool: the pixels of an axis within a share of it around a random one."""
    at = torch.arange(length, device=generator.device)
    centre = torch.randint(length, (), generator=generator, device=generator.device)
    reach = (share * length).floor() / 2
    return (at >= centre - reach) & (at < centre + reach)


def _beta(alpha: float, generator: Generator) -> Tensor:
    """A draw from Beta(alpha, alpha), a scalar; torch's own distribution takes no generator."""
    both = torch.full((1, 2), alpha, device=generator.device)
    return torch._sample_dirichlet(both, generator)[0, 0]
