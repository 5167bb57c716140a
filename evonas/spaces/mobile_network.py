"""The network of a `Mobile` space: stem, stages of blocks, head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from evonas.spaces.blocks import (
    ACTIVATIONS,
    Head,
    Residual,
    Resize,
    Size,
    SqueezeExcite,
    conv_bn,
    halving,
    initialise,
    scaled,
    shrunk,
)
from evonas.spaces.genes import Arch
from evonas.spaces.places import placed

SQUEEZED = 4  # channels of a block's input a hidden unit of its squeeze-and-excitation (MnasNet's ratio of 0.25)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a block takes and gives, and the choices of its stage."""

    inputs: int
    outputs: int
    stride: Size
    act: str
    squeeze: bool

    def squeezed(self, channels: int) -> list[nn.Module]:
        own = SqueezeExcite(channels, max(2, self.inputs // SQUEEZED)) if self.squeeze else None
        return [placed("squeeze", own)] if own else []

    def around(self, body: nn.Module) -> nn.Module:
        """Beside an identity, where one can be."""
        return Residual(placed("", body)) if self.same else body

    @property
    def same(self) -> bool:
        return self.inputs == self.outputs and self.stride == (1, 1)


def residual(shape: Shape, block: Arch) -> nn.Module:
    """Two 3x3 convolutions beside a shortcut, which is projected where the size changes (He et al. 2016)."""
    body = nn.Sequential(
        conv_bn(shape.inputs, shape.outputs, 3, shape.stride, act=shape.act),
        conv_bn(shape.outputs, shape.outputs, 3),
        *shape.squeezed(shape.outputs),
    )
    shortcut = None if shape.same else conv_bn(shape.inputs, shape.outputs, 1, shape.stride)
    return nn.Sequential(Residual(body, shortcut), ACTIVATIONS[shape.act]())


def inverted(shape: Shape, block: Arch) -> nn.Module:
    """Wide inside, narrow and linear outside (Sandler et al. 2018)."""
    inner = shape.inputs * block.expansion
    body = nn.Sequential(
        *([placed("widen", conv_bn(shape.inputs, inner, 1, act=shape.act))] if block.expansion > 1 else []),
        placed("depthwise", conv_bn(inner, inner, block.kernel, shape.stride, groups=inner, act=shape.act)),
        *shape.squeezed(inner),
        placed("narrow", conv_bn(inner, shape.outputs, 1)),
    )
    return shape.around(body)


def fused(shape: Shape, block: Arch) -> nn.Module:
    """A full convolution that widens, and a linear one that narrows (Gupta & Tan 2019; Tan & Le 2021, figure 2)."""
    inner = shape.inputs * block.expansion
    if block.expansion == 1:
        layer = conv_bn(shape.inputs, shape.outputs, block.kernel, shape.stride, act=shape.act)
        body = nn.Sequential(placed("alone", layer), *shape.squeezed(shape.outputs))
    else:
        body = nn.Sequential(
            placed("widen", conv_bn(shape.inputs, inner, block.kernel, shape.stride, act=shape.act)),
            *shape.squeezed(inner),
            placed("narrow", conv_bn(inner, shape.outputs, 1)),
        )
    return shape.around(body)


def separable(shape: Shape, block: Arch) -> nn.Module:
    """Depthwise, then pointwise (Howard et al. 2017)."""
    channels = shape.inputs
    return nn.Sequential(
        placed("depthwise", conv_bn(channels, channels, block.kernel, shape.stride, groups=channels, act=shape.act)),
        *shape.squeezed(channels),
        placed("pointwise", conv_bn(channels, shape.outputs, 1, act=shape.act)),
    )


BLOCKS: dict[str, Callable[[Shape, Arch], nn.Module]] = {
    "residual": residual,
    "inverted": inverted,
    "separable": separable,
    "fused": fused,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Its name among the genes, channels, and squeeze and block of each of its blocks."""

    name: str
    width: int
    blocks: Sequence[Arch]


def mobile_network(
    shape: tuple[int, int, int], outputs: int, stem: Arch, act: str, stages: Sequence[Stage], resolution: int = 0
) -> nn.Module:
    """(N, *shape) -> (N, outputs). stem: width, stride, and pool where that is searched. resolution: the height that
    images are scaled to first; 0: they stay."""
    size, channels = scaled(shape[1:], resolution), stem.width
    resize = [Resize(size)] if size != shape[1:] else []
    stride = halving(size, stem.stride)
    size = shrunk(size, stride)
    layers: list[nn.Module] = [*resize, placed("stem", conv_bn(shape[0], channels, 3, stride, act=act))]
    if stem.to_dict().get("pool"):
        stride = halving(size)
        size = shrunk(size, stride)
        layers.append(nn.MaxPool2d(stride, stride, ceil_mode=True))
    for index, stage in enumerate(stages):
        for place, own in enumerate(stage.blocks):
            stride = halving(size) if index and not place else (1, 1)
            size = shrunk(size, stride)
            form = Shape(channels, stage.width, stride, act, own.squeeze)
            block = BLOCKS[own.block.kind](form, own.block)
            layers.append(placed(f"{stage.name}.block_{place}-{own.block.kind}", block))
            channels = stage.width
    return initialise(nn.Sequential(*layers, placed("head", Head(channels, outputs))))
