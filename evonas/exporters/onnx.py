"""Format `onnx`: for ONNX Runtime, OpenVINO, TensorRT and whatever else reads ONNX."""

import importlib.util
import io
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.exporters.exporter import Array, Exporter, named
from evonas.measuring.backends.export import Positional, silent


def write(network: nn.Module, x: Any) -> bytes:
    """By tracing; what that does not know, by the slower exporter of today. See `Exporter`."""
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("networks are converted with onnx; pip install 'evonas[onnxruntime]'")
    parts = named(x)
    traced = network if list(parts) == ["input"] else Positional(network, list(parts))
    names: dict[str, Any] = {"input_names": list(parts), "output_names": ["output"]}
    file: Any = io.BytesIO()
    with silent(), torch.random.fork_rng(devices=[]):
        try:
            axes = {name: {0: "batch"} for name in (*parts, "output")}
            torch.onnx.export(traced, tuple(parts.values()), file, dynamic_axes=axes, dynamo=False, **names)
            return bytes(file.getvalue())
        except Exception:
            if importlib.util.find_spec("onnxscript") is None:
                raise
        free = tuple({0: torch.export.Dim.DYNAMIC} for _ in parts)
        program: Any = torch.onnx.export(
            traced, tuple(parts.values()), dynamo=True, verbose=False, dynamic_shapes=free, **names
        )
    found: bytes = program.model_proto.SerializeToString()
    return found


def run(file: bytes, x: Any) -> Array:
    """See `Exporter`."""
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("onnxruntime is not installed; pip install 'evonas[onnxruntime]'") from None
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    taken = {part.name for part in session.get_inputs()}  # none where the output is the same whatever the input
    (output,) = session.run(None, {name: part for name, part in named(x).items() if name in taken})
    return np.asarray(output)


ONNX = Exporter(write, run, "onnxruntime.InferenceSession({path!r})")
