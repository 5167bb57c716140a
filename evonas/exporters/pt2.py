"""Format `pt2`: a program for `torch.export.load`, and so for ExecuTorch and AOTInductor."""

import io
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from evonas.exporters.exporter import Array, Exporter, InOrder, Labels, named
from evonas.measuring.backends.export import silent
from evonas.measuring.backends.positional import Positional

METADATA = "metadata.json"
"""The extra file with the texts by name."""


def write(network: nn.Module, x: Any) -> bytes:
    """Several inputs are taken in order, not by name, which torch.export has no way to leave open. See `Exporter`."""
    parts = tuple(named(x).values())
    traced = Positional(network, list(x)) if isinstance(x, Mapping) else InOrder(network)
    shapes = {"parts": tuple({0: torch.export.Dim.DYNAMIC} for _ in parts)}
    file = io.BytesIO()
    with silent(), torch.random.fork_rng(devices=[]):
        torch.export.save(torch.export.export(traced, parts, dynamic_shapes=shapes), file)
    return file.getvalue()


def run(file: bytes, x: Any) -> Array:
    """See `Exporter`."""
    module = torch.export.load(io.BytesIO(file)).module()
    output: Array = module(*(torch.from_numpy(part) for part in named(x).values())).detach().numpy()
    return output


def put(file: bytes, labels: Mapping[str, str]) -> bytes:
    """As an extra file. See `Labels`."""
    found = io.BytesIO()
    torch.export.save(torch.export.load(io.BytesIO(file)), found, extra_files={METADATA: json.dumps(dict(labels))})
    return found.getvalue()


def get(file: bytes) -> dict[str, str]:
    """See `Labels`."""
    extra = {METADATA: ""}
    torch.export.load(io.BytesIO(file), extra_files=extra)
    found: dict[str, str] = json.loads(extra[METADATA])
    return found


def loaded(file: bytes) -> nn.Module:
    """The program as a module that a backend of torch's takes."""
    return Program(torch.export.load(io.BytesIO(file)).module())


class Program(nn.Module):
    """A program that is in evaluation mode for good, and takes several inputs by name.

    Args:
        program: takes its inputs in order.
    """

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, *parts: Tensor, **named: Tensor) -> Any:
        return self.program(*parts, *named.values())

    def train(self, mode: bool = True) -> "Program":
        """An exported program has one mode and refuses to be asked for it."""
        return self


PT2 = Exporter(
    write,
    run,
    "torch.export.load({path!r}).module()",
    Labels(put, get),
    backends=("torch", "torch.compile"),
    loaded=loaded,
)
