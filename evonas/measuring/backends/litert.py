"""LiteRT, which was TensorFlow Lite, as a backend. It needs no torch where a network comes as a file."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from evonas.inputs import example
from evonas.measuring.backends.backend import Array, Loaded
from evonas.measuring.backends.edge import EdgeRuntime
from evonas.measuring.backends.heard import heard
from evonas.measuring.backends.onnx_file import LoadedFile
from evonas.records import Inputs


class LiteRt(EdgeRuntime):
    """LiteRT runs networks by its delegate to XNNPACK, and what that has no kernel for by its own.

    Args:
        name: of the target, for messages.
        config: the target's.

    Raises:
        UserError: ai-edge-litert is not installed.
    """

    kind = "litert"
    package = "ai-edge-litert"

    def _find(self) -> None:
        _interpreter()

    def _read(self, file: bytes, inputs: Inputs) -> Loaded:
        session = Session(file, self._config.threads)
        session.take(example(inputs, self._config.batch))
        return LoadedFile(file, inputs, self._config, session.run, session.output)


class Session:
    """A file in an interpreter.

    Args:
        file: the network.
        threads: of a pass.

    Raises:
        ImportError: ai-edge-litert is not installed.
        ValueError: it has no kernel for an operator, which is named.
    """

    def __init__(self, file: bytes, threads: int) -> None:
        made = allocated(file, threads)
        self._interpreter, self.run = made, made.invoke
        self._taken = {_position(part["name"]): part for part in made.get_input_details()}
        (self._given,) = made.get_output_details()

    @property
    def types(self) -> dict[int, Any]:
        """Position of each input that the file takes -> its type; tokens of int64 become int32."""
        return {position: part["dtype"] for position, part in self._taken.items()}

    @property
    def names(self) -> list[str]:
        """Of all tensors, which are paths of the modules that they come from."""
        return [str(part["name"]) for part in self._interpreter.get_tensor_details()]

    def take(self, x: Any) -> None:
        """Set the input, numpy arrays; what the file takes in 8 bits is rounded to its scale."""
        parts = list(x.values()) if isinstance(x, Mapping) else [x]
        for position, part in self._taken.items():  # none where the output is the same whatever the input
            self._interpreter.set_tensor(part["index"], _in_scale(parts[position], part))

    def output(self) -> Array:
        """What the last pass has given, as float32."""
        found: Array = self._interpreter.get_tensor(self._given["index"]).astype(np.float32)
        scale, zero = self._given["quantization"]
        return np.asarray((found - zero) * scale, np.float32) if scale else found


def allocated(file: bytes, threads: int) -> Any:
    """An interpreter of a file that is ready to run. See `Session`."""
    with heard():  # it tells of its delegate
        made = _interpreter()(model_content=file, num_threads=threads)
        made.allocate_tensors()
    return made


def runner(file: bytes, threads: int) -> Callable[[Any], Array]:
    """What runs a file as often as one likes.

    Args:
        file: the network.
        threads: of a pass.

    Returns:
        A function (input as numpy arrays, as many examples as the file is made for) -> the output.

    Raises:
        ImportError, ValueError: as of `Session`.
    """
    session = Session(file, threads)

    def run(x: Any) -> Array:
        session.take(x)
        session.run()
        return session.output()

    return run


def _interpreter() -> Any:
    return importlib.import_module("ai_edge_litert.interpreter").Interpreter


def _position(name: str) -> int:
    """Of an input, "serving_default_args_1" or "serving_default_args_1:0"."""
    return int(name.partition(":")[0].rpartition("_")[2])


def _in_scale(x: Array, part: Mapping[str, Any]) -> Array:
    scale, zero = part["quantization"]
    wanted = part["dtype"]
    if scale and x.dtype == np.float32:
        finite = np.nan_to_num(x / scale)  # 8 bits have no NaN
        x = np.clip(np.rint(finite) + zero, np.iinfo(wanted).min, np.iinfo(wanted).max)
    found: Array = np.ascontiguousarray(x, wanted)
    return found
