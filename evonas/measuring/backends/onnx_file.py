"""Networks that a runtime loads from an ONNX file, which may come from somewhere else. Needs no library for ONNX."""

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evonas.config import TargetConfig
from evonas.measuring.backends.backend import Array, Loaded
from evonas.measuring.backends.footprint import footprint_mb
from evonas.records import Inputs

if TYPE_CHECKING:
    from torch import nn

MB = 1e6
EXTERNAL = re.compile(rb"[\x08\x00]location")
"""The key under which a tensor names another file, behind its length of 8: one byte, or more of which the last is 0."""


def load(network: "nn.Module | bytes", inputs: Inputs, config: TargetConfig, read: Callable[[bytes], Loaded]) -> Loaded:
    """Load a network as a `Backend` does: from its file, or a module through a file, with a check of its output.

    Args:
        network: a module, or an ONNX file.
        inputs: what it takes in.
        config: the target's.
        read: loads a file that needs no other files.

    Raises:
        ValueError: the file takes weights from other files.
        ExportError: the module cannot be converted, or is another network afterwards.
    """
    if isinstance(network, bytes):
        return read(self_contained(network))
    from evonas.measuring.backends import export

    return export.checked(network, inputs, config, read)


def self_contained(file: bytes) -> bytes:
    """The file, if it takes no weights from other files: a runtime would read those of this machine.

    Raises:
        ValueError: it does.
    """
    if EXTERNAL.search(file):
        raise ValueError("this ONNX file takes weights from other files; save it with its weights inside")
    return file


class LoadedFile:
    """A network that was loaded from a file: a `Loaded`.

    Args:
        file: the network.
        inputs: what it takes in.
        config: the target's.
        run: runs one forward pass to its very end.
        last: what the last pass has given.

    Attributes:
        size_mb: of the file, which is what a user would deploy.
    """

    def __init__(
        self, file: bytes, inputs: Inputs, config: TargetConfig, run: Callable[[], None], last: Callable[[], Array]
    ) -> None:
        self._file, self._inputs, self._config = file, inputs, config
        self._run, self._last = run, last
        self.size_mb = len(file) / MB

    def passes(self, count: int) -> Sequence[float]:
        return [self._pass() for _ in range(count)]

    def output(self) -> Array:
        self._run()
        return np.array(self._last(), np.float32)

    def memory_mb(self) -> float:
        return footprint_mb(self._file, self._inputs, self._config)

    def _pass(self) -> float:
        start = time.perf_counter_ns()
        self._run()
        return (time.perf_counter_ns() - start) / 1e6
