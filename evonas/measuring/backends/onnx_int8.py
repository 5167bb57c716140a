"""An ONNX file in whole numbers of 8 bits: static quantisation after training, by ONNX Runtime."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evonas.installing import how_to_install

Array = npt.NDArray[Any]
PREPARED = ("/prepare/", "/network/prepare/")
"""How the nodes of a task's `prepare` are called, which stay as they are: numbers as they are stored have units of
their own, outliers and gaps, of which 8 bits leave nothing."""
SMALLEST = 1e-4
"""The range that an activation has at least, as ONNX Runtime's own recipe for phones has it. One that was 0 throughout
would get a zero point at which the ReLU before it, which the quantiser takes out, passes what is below 0."""


def quantised(file: bytes, calibration: Iterator[Mapping[str, Array]]) -> bytes:
    """Weights per channel and activations per tensor as int8, with QuantizeLinear and DequantizeLinear beside each;
    what the task's `prepare` does stays in float32.

    Args:
        file: ONNX, in float32.
        calibration: its inputs by name, by which the ranges of activations are found.

    Raises:
        ImportError: a library is missing.
        Exception: whatever ONNX Runtime raises.
    """
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError:
        raise ImportError(f"it needs onnx and onnxruntime; {how_to_install('onnxruntime')}") from None

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Array] | None:
            x = next(calibration, None)
            return None if x is None else dict(x)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "int8.onnx"
        model = onnx.load_from_string(file)
        exact = [node.name for node in model.graph.node if node.name.startswith(PREPARED)]
        options = {"MinimumRealRange": SMALLEST}
        quantization.quantize_static(
            model, str(out), Reader(), per_channel=True, nodes_to_exclude=exact, extra_options=options
        )
        return out.read_bytes()


def by_name(file: bytes, x: Any) -> dict[str, Array]:
    """Inputs by the names that a file has for them, those left out that it does not take.

    Args:
        file: ONNX.
        x: one array or several by name.
    """
    import onnx

    names = [part.name for part in onnx.load_from_string(file).graph.input]
    if isinstance(x, Mapping):
        return {name: np.asarray(part) for name, part in x.items() if name in names}
    return {name: np.asarray(x) for name in names}
