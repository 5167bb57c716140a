"""Networks as Python code: what is written of which network, and that nothing but torch is needed for it."""

import ast
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from evonas.exporters import EXPORTERS, shipped, written
from evonas.exporters.python.layers import expression

PY = EXPORTERS["py"]


class Scaled(nn.Module):
    """Parameters, a buffer, a plain tensor, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.act = nn.Linear(3, 4), nn.ReLU()
        self.scale = nn.Parameter(torch.rand(4))
        self.register_buffer("order", torch.tensor([3, 1, 0, 2]))
        self.shift = torch.rand(4)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.act(self.act(self.linear(x)) * self.scale - self.shift)[:, self.order]
        return output


class Looking(nn.Module):
    """Looks at the type and at the number of its examples, which no tracer of layers follows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding="same", padding_mode="circular")

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.conv(x.float() if x.dtype == torch.uint8 else x)
        return output.reshape(x.shape[0], -1)


class Named(nn.Module):
    """Its inputs and layers are called as what Python and the file have already."""

    def __init__(self) -> None:
        super().__init__()
        self.load, self.nn, self.forward_, self.x = (nn.Linear(3, 3) for _ in range(4))

    def forward(self, input: Tensor, x: Tensor) -> Tensor:
        output: Tensor = self.load(self.nn(input)) + self.forward_(self.x(x))
        return output


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.attention = nn.Embedding(20, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.attention(self.embedding(x))
        return output


NETWORKS: dict[str, tuple[nn.Module, Any, bool]] = {
    "scaled": (Scaled(), torch.rand(2, 3), True),
    "looking": (Looking(), torch.randint(0, 255, (2, 1, 6, 6)).byte(), False),
    "named": (Named(), {"input": torch.rand(2, 3), "x": torch.rand(2, 3)}, True),
    "attending": (Attending(), torch.randint(0, 20, (2, 5)), False),
    "of doubles": (nn.Linear(3, 2).double(), torch.rand(2, 3), True),
}
"""Name -> network, its input, and whether its Python can be followed."""


@pytest.mark.parametrize("name", NETWORKS)
def test_code_is_of_layers_where_python_can_be_followed(name: str) -> None:
    network, x, followed = NETWORKS[name]
    file, checked = written(PY, shipped(nn.Identity(), network), x)
    assert "differs by" in checked
    assert ("torch.ops.aten" not in file.decode()) is followed
    imported = {node.names[0].name for node in ast.walk(ast.parse(file)) if isinstance(node, ast.Import)}
    others = {node.module for node in ast.walk(ast.parse(file)) if isinstance(node, ast.ImportFrom)}
    assert imported | others <= {"base64", "torch", "math"}


def test_a_network_of_layers_reads_as_such() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False), nn.Dropout(0.25), nn.Sequential(nn.GELU()))
    file, _ = written(PY, shipped(nn.Identity(), network), torch.rand(2, 2, 2))
    lines = [line.strip() for line in file.decode().splitlines()]
    for line in (
        "nn.Linear(in_features=4, out_features=3, bias=False),",
        "nn.Sequential(nn.GELU(approximate='none')),",
        "network = self.network(x)  # (N, 3)",
    ):
        assert line in lines


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(2, 4, 3, padding="same"), 'nn.Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding="same")'),
        (nn.LSTM(3, 4, batch_first=True), "nn.LSTM(3, 4, batch_first=True)"),
        (nn.MultiheadAttention(4, 2), None),
        (nn.AvgPool2d(2, ceil_mode=True), None),  # which it does not show
        (nn.Linear(2, 2).double(), None),
        (nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), None),
        (type("Linear", (nn.Linear,), {})(2, 2), None),
        (nn.Sequential(nn.ReLU(), Scaled()), None),
    ],
)
def test_a_layer_is_written_where_the_text_makes_it_again(layer: nn.Module, text: str | None) -> None:
    assert expression(layer) == text


def test_a_layer_with_a_hook_is_none_of_torch_s() -> None:
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda *_: None)
    assert expression(layer) is None


def test_a_text_of_metadata_cannot_become_code() -> None:
    assert PY.labels
    file, _ = written(PY, nn.Linear(2, 2).eval(), torch.rand(2, 2))
    labels = {"classes": "\"}\nraise SystemExit\n{'", "task": "\\1 \\n"}
    found = PY.labels.put(file, labels)
    assert PY.labels.get(found) == labels
    space: dict[str, Any] = {}
    exec(found, space)
    assert space["METADATA"] == labels
