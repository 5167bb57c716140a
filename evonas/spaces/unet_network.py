"""The networks of `unet`. Blocks take and give (N, channels, height, width)."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from evonas.spaces.blocks import ACTIVATIONS, Residual, initialise
from evonas.spaces.genes import Arch
from evonas.spaces.places import placed

GROUPS = 8
"""Of group normalisation, at most; a group has two channels or more."""


class UNetwork(nn.Module):
    """(N, inputs, height, width) -> (N, outputs, height, width), of any size.

    Args:
        arch: of the space `unet`.
        inputs: channels of the image.
        outputs: numbers for each pixel.
    """

    def __init__(self, arch: Arch, inputs: int, outputs: int) -> None:
        super().__init__()
        block, widths = BLOCKS[arch.block], [arch.width * 2**level for level in range(arch.levels + 1)]
        form = f"{arch.block}-{arch.norm}"
        self.first = placed(f"first-{form}", block(inputs, widths[0], arch))
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), placed(form, block(above, below, arch)))
            for above, below in pairwise(widths)
        )
        steps = list(enumerate(pairwise(reversed(widths)), 1))
        self.up = nn.ModuleList(
            placed(f"level_{arch.levels - step}", upsampling(below, above, arch)) for step, (below, above) in steps
        )
        self.join = nn.ModuleList(  # which begins with channels of two networks, so that none are the first of another
            placed(f"level_{arch.levels - step}-{form}-{above}", block(2 * above, above, arch))
            for step, (_, above) in steps
        )
        self.last = nn.Conv2d(widths[0], outputs, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        seen = [self.first(x)]
        for down in self.down:
            seen.append(down(seen[-1]))
        x = seen.pop()
        for up, join in zip(self.up, self.join, strict=True):
            across = seen.pop()
            x = join(torch.cat([across, up(x)[:, :, : across.shape[2], : across.shape[3]]], 1))
        return self.last(x)  # type: ignore[no-any-return]


def upsampling(inputs: int, outputs: int, arch: Arch) -> nn.Module:
    """Twice the height and width."""
    if arch.upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 2, 2)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2, mode=arch.upsampling))


def normed(name: str, inputs: int, outputs: int, kernel: int, arch: Arch, groups: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size, and its normalisation; without one it has a bias. `name` says where."""
    conv = nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=arch.norm == "none")
    return [placed(f"{name}.conv", conv), *(placed(f"{name}.norm", norm) for norm in NORMS[arch.norm](outputs))]


def _groups(channels: int) -> nn.Module:
    """Of as many groups as divide, and not of one channel each: of one pixel that would leave nothing."""
    return nn.GroupNorm(1 if channels % 2 else math.gcd(GROUPS, channels // 2), channels)


NORMS: dict[str, Callable[[int], list[nn.Module]]] = {
    "none": lambda channels: [],
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "group": lambda channels: [_groups(channels)],
}


def double(inputs: int, outputs: int, arch: Arch) -> nn.Module:
    """Two 3x3 convolutions (Ronneberger et al. 2015)."""
    act = ACTIVATIONS[arch.activation]
    first, second = normed("first", inputs, outputs, 3, arch), normed("second", outputs, outputs, 3, arch)
    return nn.Sequential(*first, act(), *second, act())


def residual(inputs: int, outputs: int, arch: Arch) -> nn.Module:
    """The same beside a shortcut, which is projected where the channels change (Zhang et al. 2018)."""
    act = ACTIVATIONS[arch.activation]
    first, second = normed("first", inputs, outputs, 3, arch), normed("second", outputs, outputs, 3, arch)
    body = nn.Sequential(*first, act(), *second)
    shortcut = None if inputs == outputs else nn.Sequential(*normed("only", inputs, outputs, 1, arch))
    return nn.Sequential(Residual(body, shortcut), act())


def separable(inputs: int, outputs: int, arch: Arch) -> nn.Module:
    """Twice depthwise, then pointwise (Howard et al. 2017)."""
    layers: list[nn.Module] = []
    for name, channels in (("first", inputs), ("second", outputs)):
        layers += normed(f"{name}.depthwise", channels, channels, 3, arch, groups=channels)
        layers += normed(f"{name}.pointwise", channels, outputs, 1, arch)
        layers.append(ACTIVATIONS[arch.activation]())
    return nn.Sequential(*layers)


BLOCKS: dict[str, Callable[[int, int, Arch], nn.Module]] = {
    "double": double,
    "residual": residual,
    "separable": separable,
}
