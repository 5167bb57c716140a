"""The network that all measurements are compared with: small, fixed, made of what networks searched have in common."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class Reference(nn.Module):
    """(N, 3, 32, 32) -> (N, 10): a convolution, three depthwise separable blocks, a linear layer. 0.9 million
    multiply-accumulates, and of each kind of layer enough for what slows it to show."""

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
    """The same weights every time; torch's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Reference().eval()


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
