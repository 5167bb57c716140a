"""The networks of `mlp`. Layers take and give (N, features)."""

import math

import torch
from torch import Tensor, nn

from evonas.records import InputSpec, TaskSpec
from evonas.spaces.blocks import ACTIVATIONS, Residual
from evonas.spaces.column_network import ColumnFeatures, OnColumns, embedding_width
from evonas.spaces.columns import columns_of
from evonas.spaces.genes import Arch
from evonas.spaces.places import placed


def network(arch: Arch, task: TaskSpec) -> nn.Module:
    """An untrained network.

    Args:
        arch: of the space `mlp`.
        task: with one input of floating-point numbers, which are flattened, or with those of a table.
    """
    embedding = arch.to_dict().get("embedding", {"kind": "none"})
    periodic, each = embedding["kind"] != "none", embedding.get("width", 1)
    if isinstance(task.input, InputSpec):
        inputs = math.prod(task.input_shape)
        own = [Periodic(inputs, arch.embedding), nn.Flatten()] if periodic else []
        return nn.Sequential(nn.Flatten(), *own, *layers(inputs * each, arch, task.outputs))
    numbers, _, _ = columns_of(task.input)
    own_numbers = Periodic(numbers, arch.embedding) if periodic and numbers else None
    columns = ColumnFeatures(task.input, embedding_width(task.input), own_numbers, each)
    return OnColumns(columns, nn.Sequential(*layers(columns.features, arch, task.outputs)))


def layers(inputs: int, arch: Arch, outputs: int) -> list[nn.Module]:
    """Those behind what takes the input in."""
    kind = arch.to_dict().get("block", {"kind": "plain"})["kind"]
    return plain(inputs, arch, outputs) if kind == "plain" else added(inputs, arch, outputs)


def plain(inputs: int, arch: Arch, outputs: int) -> list[nn.Module]:
    """Layers one behind the other."""
    parts: list[nn.Module] = []
    for place, layer in enumerate(arch.hidden):
        parts += [placed(f"layer_{place}{'' if place else _taken_in(arch)}", nn.Linear(inputs, layer.width))]
        parts += _norm(layer.width, arch, f"norm_{place}")
        parts += [ACTIVATIONS[arch.activation]()]
        parts += _dropout(arch)
        inputs = layer.width
    return [*parts, placed("head" if arch.hidden else f"head{_taken_in(arch)}", nn.Linear(inputs, outputs))]


def added(inputs: int, arch: Arch, outputs: int) -> list[nn.Module]:
    """Blocks beside identities, between a first layer and normalisation, activation and a last layer (Gorishniy et al.
    2021, section 3.2)."""
    kind, width = arch.block.kind, arch.block.width
    body = {"residual": residual, "gated": gated}[kind]
    blocks = [
        placed(f"block_{place}-{kind}", Residual(nn.Sequential(*_norm(width, arch), *body(width, layer.width, arch))))
        for place, layer in enumerate(arch.hidden)
    ]
    last = [*_norm(width, arch), ACTIVATIONS[arch.activation](), placed(f"head-{kind}", nn.Linear(width, outputs))]
    return [placed(f"first-{kind}{_taken_in(arch)}", nn.Linear(inputs, width)), *blocks, *last]


def residual(width: int, inner: int, arch: Arch) -> list[nn.Module]:
    enter, out = placed("enter", nn.Linear(width, inner)), placed("out", nn.Linear(inner, width))
    return [enter, ACTIVATIONS[arch.activation](), *_dropout(arch), out]


def gated(width: int, inner: int, arch: Arch) -> list[nn.Module]:
    enter, out = placed("enter", Gated(width, inner, arch.activation)), placed("out", nn.Linear(inner, width))
    return [enter, *_dropout(arch), out]


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
        placed(f"numbers-{form.kind}-{form.frequencies}", self)  # cosines come behind as many sines

    def forward(self, x: Tensor) -> Tensor:
        angle = 2 * torch.pi * self.frequencies * x[:, :, None]
        waves = torch.cat([angle.cos(), angle.sin()], 2)  # (N, features, 2 frequencies)
        if self.weight.shape[0] == 1:
            return (waves @ self.weight[0] + self.bias).relu()
        return ((waves.transpose(0, 1) @ self.weight).transpose(0, 1) + self.bias).relu()


def _norm(width: int, arch: Arch, name: str = "norm") -> list[nn.Module]:
    return [placed(name, nn.BatchNorm1d(width))] if arch.norm else []


def _taken_in(arch: Arch) -> str:
    """What a first layer sees, whose weights are others' where numbers become several each."""
    embedding = arch.to_dict().get("embedding", {"kind": "none"})
    return "" if embedding["kind"] == "none" else f"-{embedding['kind']}-{embedding['width']}"


def _dropout(arch: Arch) -> list[nn.Module]:
    return [nn.Dropout(arch.dropout)] if arch.dropout else []
