"""Format `onnx`: for ONNX Runtime, OpenVINO, TensorRT and whatever else reads ONNX."""

import importlib.util
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.exporters.exporter import Array, Exporter, InOrder, Labels, named
from evonas.installing import how_to_install
from evonas.measuring.backends import onnx_int8
from evonas.measuring.backends.conversion import traced_or
from evonas.measuring.backends.export import silent
from evonas.measuring.backends.operators import by_name
from evonas.measuring.backends.positional import Positional
from evonas.measuring.backends.refused import refusing


def write(network: nn.Module, x: Any) -> bytes:
    """By tracing; what that does not know, by the slower exporter of today. See `Exporter`."""
    if importlib.util.find_spec("onnx") is None:
        raise ImportError(f"networks are converted with onnx; {how_to_install('onnxruntime')}")
    parts = named(x)
    traced = network if list(parts) == ["input"] else Positional(network, list(parts))
    names: dict[str, Any] = {"input_names": list(parts), "output_names": ["output"]}

    def trace() -> bytes:
        file: Any = io.BytesIO()
        axes = {name: {0: "batch"} for name in (*parts, "output")}
        torch.onnx.export(traced, tuple(parts.values()), file, dynamic_axes=axes, dynamo=False, **names)
        return bytes(file.getvalue())

    def convert() -> bytes:
        ordered = InOrder(network) if traced is network else traced  # a network as it is shipped takes any arguments
        free = {"parts": tuple({0: torch.export.Dim.DYNAMIC} for _ in parts)}
        program: Any = torch.onnx.export(
            ordered, tuple(parts.values()), dynamo=True, verbose=False, dynamic_shapes=free, **names
        )
        return bytes(program.model_proto.SerializeToString())

    with silent(), torch.random.fork_rng(devices=[]):
        try:
            return traced_or(trace, convert, traced, tuple(parts.values()))
        except Exception as error:
            raise by_name("ONNX", traced, tuple(parts.values()), error) from error.__cause__


def run(file: bytes, x: Any) -> Array:
    """See `Exporter`."""
    return session(file)(x)


def session(file: bytes) -> Callable[[Any], Array]:
    """What runs a file as often as one likes.

    Args:
        file: the network.

    Returns:
        A function (input as numpy arrays) -> the output.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ImportError(f"onnxruntime is not installed; {how_to_install('onnxruntime')}") from None
    with refusing("onnxruntime"):
        made = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    taken = {part.name for part in made.get_inputs()}  # none where the output is the same whatever the input

    def run(x: Any) -> Array:
        with refusing("onnxruntime"):
            (output,) = made.run(None, {name: part for name, part in named(x).items() if name in taken})
        return np.asarray(output)

    return run


def put(file: bytes, labels: Mapping[str, str]) -> bytes:
    """As `metadata_props`. See `Labels`."""
    import onnx

    model = onnx.load_from_string(file)
    onnx.helper.set_model_props(model, dict(labels))
    found: bytes = model.SerializeToString()
    return found


def get(file: bytes) -> dict[str, str]:
    """See `Labels`."""
    import onnx

    return {entry.key: entry.value for entry in onnx.load_from_string(file).metadata_props}


def int8(network: nn.Module, file: bytes, calibration: Any) -> bytes:
    """Weights per channel, activations per tensor. See `Exporter`."""
    with silent():
        return onnx_int8.quantised(file, (named(x) for x in calibration))  # type: ignore[misc]


ONNX = Exporter(
    write,
    run,
    "onnxruntime.InferenceSession({path!r})",
    Labels(put, get),
    backends=("onnxruntime", "openvino"),
    int8=int8,
    session=session,
)
