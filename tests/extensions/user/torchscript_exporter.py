"""An exporter of one's own: TorchScript, for programs in C++ that are linked with libtorch."""

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.exporters import EXPORTERS, Exporter


class InOrder(nn.Module):
    """A network that takes its inputs in order, not by name."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *parts: Tensor) -> Any:
        return self.network(**dict(zip(self.names, parts, strict=True))) if self.names else self.network(*parts)


def write(network: nn.Module, x: Any) -> bytes:
    names, parts = (list(x), tuple(x.values())) if isinstance(x, dict) else ([], (x,))
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(InOrder(network, names).eval(), parts), file)
    return file.getvalue()


def run(file: bytes, x: Any) -> np.ndarray:
    parts = [torch.from_numpy(part) for part in (x.values() if isinstance(x, dict) else [x])]
    with torch.no_grad():
        output: np.ndarray = torch.jit.load(io.BytesIO(file))(*parts).numpy()
    return output


EXPORTERS["ts"] = Exporter(write, run, "torch.jit.load({path!r})")
