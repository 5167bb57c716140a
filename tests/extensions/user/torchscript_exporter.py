"""An exporter of one's own: TorchScript, for programs in C++ that are linked with libtorch."""

import io
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.exporters import EXPORTERS, Exporter


def write(network: nn.Module, x: Any) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have torch.export
        named = isinstance(x, dict)
        traced = torch.jit.trace(network, example_kwarg_inputs=x) if named else torch.jit.trace(network, x)
        torch.jit.save(traced, file)
    return file.getvalue()


def run(file: bytes, x: Any) -> np.ndarray:
    module = torch.jit.load(io.BytesIO(file))
    with torch.no_grad():
        named = isinstance(x, dict)
        output = (
            module(**{key: torch.from_numpy(part) for key, part in x.items()}) if named else module(torch.from_numpy(x))
        )
    return np.asarray(output)


EXPORTERS["ts"] = Exporter(write, run, "torch.jit.load({path!r})")
