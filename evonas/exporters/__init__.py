"""Exporters: a trained network as one file that runs elsewhere, from the examples as they are stored to the output.

To add one: a file here and a line in EXPORTERS.
"""

from evonas.exporters.edge import PTE, TFLITE
from evonas.exporters.exporter import Exporter, Labels, shipped, written
from evonas.exporters.onnx import ONNX
from evonas.exporters.pt2 import PT2
from evonas.exporters.python import PY
from evonas.exporters.weights import SAFETENSORS
from evonas.tasks.shipped import Shipped

EXPORTERS: dict[str, Exporter] = {
    "pt2": PT2,
    "onnx": ONNX,
    "safetensors": SAFETENSORS,
    "py": PY,
    "pte": PTE,
    "tflite": TFLITE,
}
"""Format, which is the suffix of its files -> exporter."""
ALSO_CALLED = {"executorch": "pte", "litert": "tflite"}
"""What a runtime is called -> the format that it runs."""

__all__ = ["ALSO_CALLED", "EXPORTERS", "Exporter", "Labels", "Shipped", "shipped", "written"]
