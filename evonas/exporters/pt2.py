"""Format `pt2`: a program for `torch.export.load`, and so for ExecuTorch and AOTInductor."""

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from evonas.exporters.exporter import Array, Exporter, named
from evonas.measuring.backends.export import Positional


def write(network: nn.Module, x: Any) -> bytes:
    """Several inputs are taken in order, not by name, which torch.export has no way to leave open. See `Exporter`."""
    parts = tuple(named(x).values())
    traced = Positional(network, list(x)) if isinstance(x, Mapping) else InOrder(network)
    shapes = {"parts": tuple({0: torch.export.Dim.DYNAMIC} for _ in parts)}
    file = io.BytesIO()
    torch.export.save(torch.export.export(traced, parts, dynamic_shapes=shapes), file)
    return file.getvalue()


def run(file: bytes, x: Any) -> Array:
    """See `Exporter`."""
    module = torch.export.load(io.BytesIO(file)).module()
    output: Array = module(*(torch.from_numpy(part) for part in named(x).values())).detach().numpy()
    return output


class InOrder(nn.Module):
    """A network of one input, called as one of several is."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *parts: Tensor) -> Any:
        return self.network(*parts)


PT2 = Exporter(write, run, "torch.export.load({path!r}).module()")
