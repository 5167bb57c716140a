"""A network becomes a file of LiteRT; in 8 bits by the quantiser that belongs to it."""

import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from evonas.installing import how_to_install
from evonas.measuring.backends.heard import heard
from evonas.measuring.backends.litert import Session, allocated
from evonas.measuring.backends.operators import missing
from evonas.measuring.backends.positional import ordered, positional

SIGNATURE = "serving_default"
PREPARED = r"Shipped[^/;]*/[^/;]*_prepare[/;]"
"""In the names of tensors, which are paths of modules, those that the task's `prepare` makes of stored examples."""


def write(network: nn.Module, x: Any, calibration: Sequence[Any] = ()) -> bytes:
    """A file for as many examples as `x` has.

    Args:
        network: in evaluation mode on the CPU.
        x: its input, tensors.
        calibration: inputs by which the ranges of activations are found; none: in float32.

    Raises:
        ImportError: a library is missing.
        NoOperator: the converter has no operator that the network calls.
        Exception: whatever else the conversion raises.
    """
    try:
        with heard():
            import litert_torch
        # It brings JAX, which warns of each process that is started from here on; those of this project begin anew.
        warnings.filterwarnings("ignore", message=r"os\.fork\(\) was called", category=RuntimeWarning)
    except ImportError:
        raise ImportError(f"networks are converted with litert-torch; {how_to_install('litert')}") from None
    with tempfile.TemporaryDirectory() as folder, heard():
        path, whole, parts = Path(folder) / "network.tflite", ordered(network, x), positional(x)
        try:
            litert_torch.convert(whole, parts).export(str(path))
        except Exception as error:
            if found := missing("litert", whole, parts, lambda part: litert_torch.convert(part, parts), error):
                raise found from error
            raise
        if not calibration:
            return path.read_bytes()
        try:
            return _quantised(path, calibration)
        except ValueError as error:  # the quantiser's own way through the file needs a kernel for each operator
            if found := missing("litert", whole, parts, lambda part: loads(part, parts), error):
                raise found from error
            raise


def loads(module: nn.Module, parts: tuple[Any, ...]) -> None:
    """Convert a network and load its file.

    Raises:
        Exception: whatever the one or the other raises.
    """
    import litert_torch

    with tempfile.TemporaryDirectory() as folder, heard():
        path = Path(folder) / "network.tflite"
        litert_torch.convert(module, parts).export(str(path))
        allocated(path.read_bytes(), 1)


def _quantised(path: Path, calibration: Sequence[Any]) -> bytes:
    """Weights per channel, where there is a kernel for it, and activations per tensor; what the task's `prepare` does
    stays in float32, as in files of ONNX (onnx_int8.py)."""
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    made = quantizer.Quantizer(str(path))
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    # The kernel of a product with several matrices of weights, one for each column of a table, takes the scale of the
    # first channel for all of them (measured: outputs near zero).
    made.add_static_config(".*", TFLOperationName.BATCH_MATMUL, 8, 8, QuantGranularity.TENSORWISE)
    session = Session(path.read_bytes(), 1)
    if any(re.search(PREPARED, name) for name in session.names):
        for scope, operations in ((PREPARED, TFLOperationName.ALL_SUPPORTED), (".*", TFLOperationName.INPUT)):
            made.update_quantization_recipe(scope, operations, algorithm_key=AlgorithmName.NO_QUANTIZE)
    types = session.types
    named = [
        {f"args_{i}": part.numpy().astype(types[i]) for i, part in enumerate(positional(x)) if i in types}
        for x in calibration
    ]
    return bytes(made.quantize(_ranges(made, named)).quantized_model)


def _ranges(made: Any, batches: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The least and the largest value of each tensor. Of several batches the quantiser takes a moving average, which
    cuts off what a single batch has beyond it. A tensor that is 0 throughout, as behind a ReLU that nothing passes,
    would get a scale near 0, which XNNPACK refuses; it gets one."""
    found: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for tensor, own in made.calibrate({SIGNATURE: [batch]}, num_threads=1).items():
            known = found.setdefault(tensor, dict(own))
            if "min" in own and "max" in own:
                known["min"], known["max"] = np.minimum(known["min"], own["min"]), np.maximum(known["max"], own["max"])
    for known in found.values():
        if "max" in known:
            known["max"] = np.where(known["max"] == known["min"], known["min"] + 1, known["max"])
    return found
