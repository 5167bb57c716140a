"""The networks of `mlp`. Layers take and give (N, features)."""

import math

import torch
from torch import Tensor, nn

from evonas.records import TaskSpec
from evonas.spaces.blocks import ACTIVATIONS, Residual
from evonas.spaces.genes import Arch


def network(arch: Arch, task: TaskSpec) -> nn.Module:
    """An untrained network.

    Args:
        arch: of the space `mlp`.
        task: with one input of floating-point numbers, which are flattened.
    """
    inputs, given = math.prod(task.input_shape), arch.to_dict()
    block, embedding = given.get("block", {"kind": "plain"}), given.get("embedding", {"kind": "none"})
    parts: list[nn.Module] = [nn.Flatten()]
    if embedding["kind"] != "none":
        parts += [Periodic(inputs, arch.embedding), nn.Flatten()]
        inputs *= embedding["width"]
    if block["kind"] == "plain":
        return nn.Sequential(*parts, *plain(inputs, arch, task.outputs))
    return nn.Sequential(*parts, *added(inputs, arch, task.outputs))


def plain(inputs: int, arch: Arch, outputs: int) -> list[nn.Module]:
    """Layers one behind the other."""
    parts: list[nn.Module] = []
    for layer in arch.hidden:
        parts += [nn.Linear(inputs, layer.width)]
        parts += _norm(layer.width, arch)
        parts += [ACTIVATIONS[arch.activation]()]
        parts += _dropout(arch)
        inputs = layer.width
    return [*parts, nn.Linear(inputs, outputs)]


def added(inputs: int, arch: Arch, outputs: int) -> list[nn.Module]:
    """Blocks beside identities, between a first layer and normalisation, activation and a last layer (Gorishniy et al.
    2021, section 3.2)."""
    width, body = arch.block.width, {"residual": residual, "gated": gated}[arch.block.kind]
    blocks = [Residual(nn.Sequential(*_norm(width, arch), *body(width, layer.width, arch))) for layer in arch.hidden]
    last = [*_norm(width, arch), ACTIVATIONS[arch.activation](), nn.Linear(width, outputs)]
    return [nn.Linear(inputs, width), *blocks, *last]


def residual(width: int, inner: int, arch: Arch) -> list[nn.Module]:
    return [nn.Linear(width, inner), ACTIVATIONS[arch.activation](), *_dropout(arch), nn.Linear(inner, width)]


def gated(width: int, inner: int, arch: Arch) -> list[nn.Module]:
    return [Gated(width, inner, arch.activation), *_dropout(arch), nn.Linear(inner, width)]


class Gated(nn.Module):
    """One layer scaled by the activation of another."""

    def __init__(self, inputs: int, outputs: int, activation: str) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        return self.value(x) * self.activation(self.gate(x))  # type: ignore[no-any-return]


class Periodic(nn.Module):
    """(N, features) -> (N, features, width): sines and cosines of a number, a layer, ReLU (Gorishniy et al. 2022).

    Args:
        features: numbers of an example.
        form: kind (lite: the layer is the same for all numbers), frequencies, width and scale, the deviation of the
            frequencies at the start.
    """

    def __init__(self, features: int, form: Arch) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(features, form.frequencies) * form.scale)
        own, bound = (1 if form.kind == "lite" else features), (2 * form.frequencies) ** -0.5
        self.weight = nn.Parameter(torch.empty(own, 2 * form.frequencies, form.width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(own, form.width).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        angle = 2 * torch.pi * self.frequencies * x[:, :, None]
        waves = torch.cat([angle.cos(), angle.sin()], 2)  # (N, features, 2 frequencies)
        if self.weight.shape[0] == 1:
            return (waves @ self.weight[0] + self.bias).relu()
        return ((waves.transpose(0, 1) @ self.weight).transpose(0, 1) + self.bias).relu()


def _norm(width: int, arch: Arch) -> list[nn.Module]:
    return [nn.BatchNorm1d(width)] if arch.norm else []


def _dropout(arch: Arch) -> list[nn.Module]:
    return [nn.Dropout(arch.dropout)] if arch.dropout else []
