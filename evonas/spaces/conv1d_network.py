"""The networks of `conv1d`: stem, stages of blocks, tail. Blocks take and give (N, channels, length)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.records import InputSpec, TaskSpec
from evonas.spaces.blocks import ACTIVATIONS, Residual
from evonas.spaces.genes import Arch
from evonas.spaces.places import placed
from evonas.spaces.tcn_network import TokenStem

SQUEEZED = 4  # channels of a block a hidden unit of its squeeze-and-excitation (MnasNet's ratio of 0.25)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a block takes and gives, and the choices of its stage."""

    inputs: int
    outputs: int
    stride: int
    stage: Arch
    act: str

    def conv(self, name: str, inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
        """A convolution of the stage's kernel and dilation with BatchNorm."""
        return conv_bn(name, inputs, outputs, self.stage.kernel, stride, self.stage.dilation, groups)

    def end(self) -> list[nn.Module]:
        channels = self.outputs
        own = SqueezeExcite(channels, max(2, channels // SQUEEZED)) if self.stage.squeeze else None
        return [placed("squeeze", own)] if own else []


def network(arch: Arch, stages: Mapping[str, Arch], task: TaskSpec) -> nn.Module:
    """An untrained network.

    Args:
        arch: of the space `conv1d`.
        stages: of it by name, those that are present.
        task: with a series, tokens or a spectrogram.
    """
    inputs, stem = task.input, arch.stem
    assert isinstance(inputs, InputSpec)
    channels, length = stem.width if inputs.high else inputs.shape[-2], inputs.shape[-1]
    layers: list[nn.Module] = [placed("tokens", TokenStem(inputs.high, stem.width))] if inputs.high else []
    layers += [nn.Flatten(1, 2)] if len(inputs.shape) == 3 else []
    stride = shortened(length, stem.stride)
    layers += [*conv_bn("stem", channels, stem.width, stem.kernel, stride), ACTIVATIONS[arch.activation]()]
    channels, length = stem.width, -(-length // stride)
    for name, stage in stages.items():
        stride = shortened(length, stage.shortening.to_dict().get("factor", 1))
        layers += _stage(name, channels, stride, stage, arch.activation)
        channels, length = stage.width, -(-length // stride)
    return nn.Sequential(*layers, *_tail(channels, arch, task))


def shortened(length: int, wanted: int) -> int:
    """The stride that should shorten a series: `wanted`, but 1 where it would leave 1 place."""
    return wanted if -(-length // wanted) >= 2 else 1


def conv_bn(
    name: str, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution that keeps the length at stride 1, of any kernel, and BatchNorm; `name` says where they stand."""
    around = dilation * (kernel - 1)
    even = [nn.ConstantPad1d((around // 2, around - around // 2), 0.0)] if around % 2 else []
    padding = 0 if even else around // 2
    conv = nn.Conv1d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [*even, placed(f"{name}.conv", conv), placed(f"{name}.norm", nn.BatchNorm1d(outputs))]


def plain(shape: Shape) -> nn.Module:
    """One convolution (Dai et al. 2017)."""
    conv = shape.conv("only", shape.inputs, shape.outputs, shape.stride)
    return nn.Sequential(*conv, ACTIVATIONS[shape.act](), *shape.end())


def residual(shape: Shape) -> nn.Module:
    """Two convolutions beside a shortcut, which is projected where the size changes (He et al. 2016)."""
    first = shape.conv("first", shape.inputs, shape.outputs, shape.stride)
    second = shape.conv("second", shape.outputs, shape.outputs)
    body = nn.Sequential(*first, ACTIVATIONS[shape.act](), *second, *shape.end())
    same = shape.inputs == shape.outputs and shape.stride == 1
    shortcut = None if same else nn.Sequential(*conv_bn("only", shape.inputs, shape.outputs, 1, shape.stride))
    return nn.Sequential(Residual(body, shortcut), ACTIVATIONS[shape.act]())


def separable(shape: Shape) -> nn.Module:
    """Of each channel for itself, then of all channels at each place (Howard et al. 2017)."""
    depthwise = shape.conv("depthwise", shape.inputs, shape.inputs, shape.stride, groups=shape.inputs)
    pointwise = conv_bn("pointwise", shape.inputs, shape.outputs, 1)
    act = ACTIVATIONS[shape.act]
    return nn.Sequential(*depthwise, act(), *pointwise, act(), *shape.end())


BLOCKS: dict[str, Callable[[Shape], nn.Module]] = {"plain": plain, "residual": residual, "separable": separable}
POOLS: dict[str, Callable[..., nn.Module]] = {"max": nn.MaxPool1d, "mean": nn.AvgPool1d}


def _stage(name: str, inputs: int, stride: int, stage: Arch, act: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    if stride > 1 and stage.shortening.kind in POOLS:
        layers.append(POOLS[stage.shortening.kind](stride, stride, ceil_mode=True))
        stride = 1
    for block in range(stage.depth):
        made = BLOCKS[stage.block](Shape(inputs, stage.width, 1 if block else stride, stage, act))
        layers.append(placed(f"{name}.block_{block}-{stage.block}", made))
        inputs = stage.width
    return layers


def _tail(channels: int, arch: Arch, task: TaskSpec) -> list[nn.Module]:
    """(N, channels, length) -> (N, *output_shape)."""
    tail = {"mean": Mean, "max": Maximum}.get(arch.tail.kind, nn.Identity)()
    if arch.tail.kind == "gru":
        tail, channels = placed("tail", Recurrent(channels, arch.tail.units)), arch.tail.units
    dropout = [nn.Dropout(arch.dropout)] if arch.dropout else []
    shaped = [nn.Unflatten(1, task.output_shape)] if len(task.output_shape) > 1 else []
    return [tail, *dropout, placed(f"head-{arch.tail.kind}", nn.Linear(channels, task.outputs)), *shaped]


class Mean(nn.Module):
    """Over all places."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2)


class Maximum(nn.Module):
    """Over all places."""

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(2)


class Recurrent(nn.Module):
    """The last state of a gated recurrent unit that reads the places in order."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, units, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x.transpose(1, 2))[0][:, -1]  # type: ignore[no-any-return]


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate computed from all channel means (Hu et al. 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean(2)))))
        return x * gate[:, :, None]
