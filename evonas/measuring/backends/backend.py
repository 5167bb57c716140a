"""The contract of a backend: how a network runs on a device. To add one: a file here and a line in BACKENDS."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from evonas.config import TargetConfig
from evonas.records import Inputs

if TYPE_CHECKING:  # a board that runs a network from a file needs no torch
    from torch import nn

Array = npt.NDArray[np.float32]


class Loaded(Protocol):
    """A network on its device, with an input that stays the same."""

    def passes(self, count: int) -> Sequence[float]:
        """Milliseconds of each of so many forward passes, every one run to its very end."""

    def output(self) -> Array:
        """What the network makes of its input, as float32, shape (batch, outputs)."""

    def memory_mb(self) -> float:
        """Peak memory of a pass, the network included, in MB of 10^6 bytes.

        Raises:
            UserError: this backend cannot tell.
        """


class Backend(Protocol):
    """A way to run networks on a device that is there.

    Its constructor takes the target's name and section of the config, and raises UserError where the device or a
    library is missing: what was asked for, and what this machine has or what to install.
    """

    @property
    def device(self) -> str:
        """What is to be quiet during a measurement: "cpu" for the whole machine, a GPU's UUID."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """What a number measured here depends on, as text: device, driver, dtype, threads, batch, backend, versions.
        The same each time: clocks and temperatures are in `state`."""

    @property
    def state(self) -> Mapping[str, str]:
        """What changes between measurements, as far as it can be read: clocks, temperature, throttling."""

    def load(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        """The network on the device, in evaluation mode. inputs: what it takes. A module is left as it was; bytes
        are what `export.to_file` makes for this backend.

        Raises:
            Exception: whatever the network or its conversion raises.
        """


def _later(module: str, name: str) -> Callable[[str, TargetConfig], Backend]:
    """Imported when it is used: each backend has a heavy library of its own."""

    def backend(target: str, config: TargetConfig) -> Backend:
        made: Backend = getattr(import_module(f"evonas.measuring.backends.{module}"), name)(target, config)
        return made

    return backend


BACKENDS: dict[str, Callable[[str, TargetConfig], Backend]] = {
    "torch": _later("pytorch", "Eager"),
    "torch.compile": _later("pytorch", "Compiled"),
    "onnxruntime": _later("onnx_runtime", "OnnxRuntime"),
    "openvino": _later("openvino", "OpenVino"),
}
"""Name in a config -> constructor."""
