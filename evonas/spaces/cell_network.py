"""The network of a `Cell` space: stem, stages of equal cells, a down-sampling between stages, head."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from evonas.spaces import dag
from evonas.spaces.blocks import Head, Residual, Size, conv, conv_bn, halving, initialise, relu_conv_bn, shrunk
from evonas.spaces.places import placed


def separable(channels: int, kernel: int) -> nn.Module:
    """Twice depthwise and pointwise, as in NASNet and DARTS."""
    return nn.Sequential(_depthwise(channels, kernel), _depthwise(channels, kernel))


def dilated(channels: int, kernel: int) -> nn.Module:
    return _depthwise(channels, kernel, dilation=2)


def _depthwise(channels: int, kernel: int, dilation: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        conv(channels, channels, kernel, dilation=dilation, groups=channels),
        conv(channels, channels, 1),
        nn.BatchNorm2d(channels),
    )


MODULES: dict[str, Callable[[int], nn.Module]] = {
    "conv1x1": lambda channels: relu_conv_bn(channels, channels, 1),
    "conv3x3": lambda channels: relu_conv_bn(channels, channels, 3),
    "conv5x5": lambda channels: relu_conv_bn(channels, channels, 5),
    "sepconv3x3": lambda channels: separable(channels, 3),
    "sepconv5x5": lambda channels: separable(channels, 5),
    "dilconv3x3": lambda channels: dilated(channels, 3),
    "dilconv5x5": lambda channels: dilated(channels, 5),
    "avgpool3x3": lambda channels: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    "maxpool3x3": lambda channels: nn.MaxPool2d(3, 1, 1),
}
"""Operation -> its module for so many channels, at stride 1. "none" and "skip" need none."""


class CellModule(nn.Module):
    """One cell with the parameters of its live edges only; zero where nothing connects input and output."""

    def __init__(self, ops: dag.Ops, nodes: int, channels: int) -> None:
        super().__init__()
        live = [(edge, op) for edge, op in zip(dag.edges(nodes), dag.pruned(ops, nodes), strict=True) if op != "none"]
        self.wires = [edge for edge, _ in live]
        self.ops = nn.ModuleList(
            placed(f"edge_{a}_{b}-{op}", nn.Identity() if op == "skip" else MODULES[op](channels))
            for (a, b), op in live
        )
        self.output = nodes - 1

    def forward(self, x: Tensor) -> Tensor:
        sums = {0: x}
        for (source, target), op in zip(self.wires, self.ops, strict=True):
            value = op(sums[source])
            sums[target] = sums[target] + value if target in sums else value
        return sums[self.output] if self.output in sums else torch.zeros_like(x)


def residual_reduction(inputs: int, outputs: int, stride: Size) -> nn.Module:
    """The fixed block between the stages of NAS-Bench-201."""
    body = nn.Sequential(relu_conv_bn(inputs, outputs, 3, stride), relu_conv_bn(outputs, outputs, 3))
    return Residual(body, nn.Sequential(*_pool(stride), conv(inputs, outputs, 1)))


def pooled_projection(inputs: int, outputs: int, stride: Size) -> nn.Module:
    """What comes before a searched reduction cell, so that all its edges keep the size and a skip is an identity."""
    return nn.Sequential(*_pool(stride), relu_conv_bn(inputs, outputs, 1))


def _pool(stride: Size) -> list[nn.Module]:
    return [nn.AvgPool2d(stride, stride, ceil_mode=True)] if stride != (1, 1) else []


def cell_network(
    shape: tuple[int, int, int],
    outputs: int,
    nodes: int,
    cell: dag.Ops,
    reduction: dag.Ops | None,
    channels: int,
    cells: Sequence[int],
) -> nn.Module:
    """(N, *shape) -> (N, outputs).

    channels: of the first stage; each later stage has twice as many and half the height and width, down to 2
        pixels. cells: normal cells in each stage. reduction: a searched reduction cell, or None for a fixed
        residual block.
    """
    size = shape[1:]
    layers: list[nn.Module] = [placed("stem", conv_bn(shape[0], channels, 3))]
    for stage, count in enumerate(cells):
        if stage:
            stride = halving(size)
            size = shrunk(size, stride)
            reduce = residual_reduction if reduction is None else pooled_projection
            layers.append(placed(f"stage_{stage}.smaller", reduce(channels, 2 * channels, stride)))
            channels *= 2
            if reduction is not None:
                layers.append(placed(f"stage_{stage}.reduction", CellModule(reduction, nodes, channels)))
        layers += [placed(f"stage_{stage}.cell_{place}", CellModule(cell, nodes, channels)) for place in range(count)]
    tail = placed("norm", nn.BatchNorm2d(channels)), nn.ReLU(), placed("head", Head(channels, outputs))
    return initialise(nn.Sequential(*layers, *tail))
