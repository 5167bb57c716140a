"""Components of networks that several spaces share. All take and give (N, channels, height, width)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]
"""Of the two image axes: pixels, or a stride."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "hardswish": nn.Hardswish,
    "silu": nn.SiLU,
}


def halving(size: Size, wanted: int = 2) -> Size:
    """The stride of a layer that should shrink an image: `wanted`, but 1 along an axis it would leave 1 pixel of."""
    return tuple(wanted if -(-pixels // wanted) >= 2 else 1 for pixels in size)  # type: ignore[return-value]


def shrunk(size: Size, stride: Size) -> Size:
    """Pixels after a padded layer of odd kernel."""
    return -(-size[0] // stride[0]), -(-size[1] // stride[1])


def scaled(size: Size, height: int) -> Size:
    """The size of images that are scaled to a height, their proportions kept; 0: as they are."""
    return (height, max(1, round(size[1] * height / size[0]))) if height else size


def conv(
    inputs: int, outputs: int, kernel: int, stride: Size = (1, 1), dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias (a BatchNorm follows) that keeps the size at stride 1; odd kernels."""
    padding = dilation * (kernel // 2)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)


def conv_bn(
    inputs: int, outputs: int, kernel: int, stride: Size = (1, 1), groups: int = 1, act: str | None = None
) -> nn.Sequential:
    """Convolution, BatchNorm, and an activation where one is named."""
    layers: list[nn.Module] = [conv(inputs, outputs, kernel, stride, groups=groups), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([ACTIVATIONS[act]()] if act else []))


def relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: Size = (1, 1)) -> nn.Sequential:
    """The order of operations inside cells (Zoph et al. 2018, Dong & Yang 2020)."""
    return nn.Sequential(nn.ReLU(), conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """body(x) + shortcut(x)."""

    residual_branches = ("body",)

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)  # type: ignore[no-any-return]


class Resize(nn.Module):
    """Images scaled to a size, between their pixels."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, mode="bilinear", align_corners=False)


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channel means (Hu et al. 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Head(nn.Module):
    """Global average pooling and a linear layer: (N, channels, height, width) -> (N, outputs)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]


@torch.no_grad()
def initialise(network: nn.Module) -> nn.Module:
    """He initialisation of convolutions (He et al. 2015); PyTorch's own for everything else."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
