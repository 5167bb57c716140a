"""All measurements are compared with one network: small, fixed, made of what the networks searched have in common."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class Reference(nn.Module):
    """The network maps (N, 3, 32, 32) to (N, 10) by a convolution, three depthwise separable blocks and a linear layer.
    It takes 0.9 million multiply-accumulates, and has enough of each kind of layer for what slows it to show."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 24, 32, 48)
        layers = [_conv(3, 16, 3, stride=2)]
        for inputs, outputs in pairwise(widths):
            layers += [_conv(inputs, inputs, 3, groups=inputs), _conv(inputs, outputs, 1)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x).mean((2, 3)))  # type: ignore[no-any-return]


def reference() -> nn.Module:
    """Make the reference network, with the same weights every time; torch's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Reference().eval()


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
