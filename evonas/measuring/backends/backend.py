"""A backend runs networks on a device; this is its contract. A new one is a file here and a line in BACKENDS."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.records import Inputs

if TYPE_CHECKING:  # a board that runs a network from a file needs no torch
    from torch import nn

Array = npt.NDArray[np.float32]


class Loaded(Protocol):
    """A network on its device, with an input that stays the same."""

    def passes(self, count: int) -> Sequence[float]:
        """Run forward passes, each to its very end.

        Args:
            count: how many.

        Returns:
            Milliseconds of each, in order.
        """

    def output(self) -> Array:
        """Run one pass.

        Returns:
            What the network gives for its input, as float32, (batch, *output shape).
        """

    def memory_mb(self) -> float:
        """Run one pass and see how much memory it takes.

        Returns:
            The peak, the network included, in MB of 10^6 bytes.

        Raises:
            UserError: this backend cannot tell.
        """


class Backend(Protocol):
    """A way to run networks on a device that is there.

    A constructor takes the name of the target, for messages, and its section of the config.

    Raises:
        UserError: the device or a library is missing; what was asked for, and what this machine has or what to install.
    """

    @property
    def device(self) -> str:
        """The name of what is to be quiet during a measurement: "cpu" for the whole machine, or a GPU's UUID."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """All that a number measured here depends on and that stays the same, as text: device, driver, dtype, threads,
        batch, backend, versions."""

    @property
    def state(self) -> Mapping[str, str]:
        """All that changes between measurements, as far as it can be read, as text: clocks, temperature, throttling."""

    def load(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        """Put a network on the device, in evaluation mode, with a made-up input.

        Args:
            network: a module, which is left as it was, or what `export.to_file` makes of one for this backend.
            inputs: what it takes in: one tensor, or several as keyword arguments.

        Raises:
            Exception: whatever the network or its conversion raises.
        """


def _later(module: str, name: str) -> Callable[[str, TargetConfig], Backend]:
    """The backend is imported when it is used, because each has a heavy library of its own."""

    def backend(target: str, config: TargetConfig) -> Backend:
        made: Backend = getattr(import_module(f"evonas.measuring.backends.{module}"), name)(target, config)
        return made

    return backend


BACKENDS: dict[str, Callable[[str, TargetConfig], Backend]] = {
    "torch": _later("pytorch", "Eager"),
    "torch.compile": _later("pytorch", "Compiled"),
    "onnxruntime": _later("onnx_runtime", "OnnxRuntime"),
    "openvino": _later("openvino", "OpenVino"),
    "executorch": _later("executorch", "ExecuTorch"),
    "litert": _later("litert", "LiteRt"),
}
"""Name in a config -> constructor."""
RUNS_ON: dict[str, tuple[str, ...]] = {
    "torch": ("cpu", "cuda"),
    "torch.compile": ("cpu", "cuda"),
    "onnxruntime": ("cpu", "cuda"),
    "openvino": ("cpu", "gpu", "npu"),
    "executorch": ("cpu",),
    "litert": ("cpu",),
}
"""Name in a config -> the kinds of devices that there can be for it; one that is left out says itself what it lacks."""


def check_device(name: str, config: TargetConfig) -> None:
    """Refuse a target that no machine can have, before a worker is looked for.

    Args:
        name: of the target.
        config: the target's.

    Raises:
        UserError: its backend runs on no such device; the message says on which it does.
    """
    kind = config.device.partition(":")[0].partition(".")[0]
    able = RUNS_ON.get(config.backend, (kind,))
    if kind not in able:
        raise UserError(f"targets.{name}.device: {config.backend} does not run on {kind}, but on {', '.join(able)}")
