"""A network becomes a file of LiteRT; in 8 bits by the quantiser that belongs to it."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from evonas.installing import how_to_install
from evonas.measuring.backends.executorch_file import ordered, positional
from evonas.measuring.backends.heard import heard
from evonas.measuring.backends.litert import Session

SIGNATURE = "serving_default"


def write(network: nn.Module, x: Any, calibration: Sequence[Any] = ()) -> bytes:
    """A file for as many examples as `x` has.

    Args:
        network: in evaluation mode on the CPU.
        x: its input, tensors.
        calibration: inputs by which the ranges of activations are found; none: in float32.

    Raises:
        ImportError: a library is missing.
        Exception: whatever the conversion raises; the first line of an operator that it does not know names it.
    """
    try:
        with heard():
            import litert_torch
    except ImportError:
        raise ImportError(f"networks are converted with litert-torch; {how_to_install('litert')}") from None
    with tempfile.TemporaryDirectory() as folder, heard():
        path = Path(folder) / "network.tflite"
        litert_torch.convert(ordered(network, x), positional(x)).export(str(path))
        return _quantised(path, calibration) if calibration else path.read_bytes()


def _quantised(path: Path, calibration: Sequence[Any]) -> bytes:
    """Weights per channel and activations per tensor."""
    from ai_edge_quantizer import quantizer, recipe

    made = quantizer.Quantizer(str(path))
    made.load_quantization_recipe(recipe.static_wi8_ai8())
    types = Session(path.read_bytes(), 1).types
    named = [
        {f"args_{i}": part.numpy().astype(types[i]) for i, part in enumerate(positional(x)) if i in types}
        for x in calibration
    ]
    return bytes(made.quantize(_ranges(made, named)).quantized_model)


def _ranges(made: Any, batches: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The least and the largest value of each tensor. Of several batches the quantiser takes a moving average, which
    cuts off what a single batch has beyond it."""
    found: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for tensor, own in made.calibrate({SIGNATURE: [batch]}, num_threads=1).items():
            known = found.setdefault(tensor, dict(own))
            if "min" in own and "max" in own:
                known["min"], known["max"] = np.minimum(known["min"], own["min"]), np.maximum(known["max"], own["max"])
    return found
