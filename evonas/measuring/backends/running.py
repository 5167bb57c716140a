"""A network that came as a file runs on examples of the caller's: how good it is in a runtime is found out so."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from evonas.measuring.backends.backend import Array

Run = Callable[[Any], Array]
"""(input as numpy arrays) -> the output."""


def _later(module: str) -> Callable[[bytes, int], Run]:
    def runner(file: bytes, threads: int) -> Run:
        made: Run = import_module(f"evonas.measuring.backends.{module}").runner(file, threads)
        return made

    return runner


RUNNERS: Mapping[str, Callable[[bytes, int], Run]] = {
    "onnxruntime": _later("onnx_runtime"),
    "executorch": _later("executorch"),
    "litert": _later("litert"),
}
"""Backend -> (file, threads) -> what runs the file on the CPU as often as one likes."""
