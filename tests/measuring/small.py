"""Networks that the tests of backends share: (N, 3, 8, 8) -> (N, 5)."""

import torch
from torch import Tensor, nn

from evonas.records import InputSpec

INPUT = InputSpec((3, 8, 8))


def small(width: int = 4) -> nn.Module:
    """In training mode, with statistics that are not those of initialisation, and a layer whose mode is its own."""
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(width)
    norm.running_mean = torch.linspace(-1, 1, width)
    layers = nn.Conv2d(3, width, 3, padding=1), norm, nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    network = nn.Sequential(*layers, nn.Linear(4 * width, 5)).train()
    norm.eval()
    return network


class Applied(nn.Module):
    """A function of the input before a convolution."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function
        self.head = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(x))  # type: ignore[operator,no-any-return]


def by_the_sign(x: Tensor) -> Tensor:
    """Another network for other inputs: which, Python decides."""
    return 3 * x.tanh() if x.sum() > 0 else x.abs()


def noisy(x: Tensor) -> Tensor:
    """Draws random numbers of which nothing is seen."""
    return x + 1e-9 * torch.rand_like(x)
