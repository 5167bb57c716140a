"""OpenVINO as a backend. It needs no torch where a network comes as a file."""

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import example, in_dtype, mapped
from evonas.installing import how_to_install
from evonas.measuring.backends import devices, onnx_file
from evonas.measuring.backends.backend import Loaded
from evonas.measuring.backends.onnx_file import LoadedFile
from evonas.measuring.backends.refused import refusing
from evonas.records import Inputs

if TYPE_CHECKING:
    from torch import nn

PRECISION = {"float32": ("f32", "FP32"), "float16": ("f16", "FP16"), "bfloat16": ("bf16", "BF16")}
"""dtype -> how OpenVINO writes the precision, and how the capability of a device."""


class OpenVino:
    """OpenVINO runs networks tuned for latency, one request at a time, in the precision that is asked for and not the
    device's own.

    Args:
        name: of the target, for messages.
        config: the target's.

    Raises:
        UserError: openvino is not installed, the device is not there or does not compute in this dtype.
    """

    def __init__(self, name: str, config: TargetConfig) -> None:
        self._config = config
        self._runtime = _imported(name)
        self._core = self._runtime.Core()
        self._at = config.device.upper()
        there = self._core.available_devices
        if self._at not in there:
            known = ", ".join(there).lower()
            raise UserError(
                f"targets.{name}.device: openvino finds no {config.device} on {platform.node()}, only {known}"
            )
        self._need_precision(name)

    @property
    def device(self) -> str:
        return "cpu" if self._at == "CPU" else self._at

    @property
    def conditions(self) -> Mapping[str, str]:
        model = str(self._core.get_property(self._at, "FULL_DEVICE_NAME"))
        version = str(self._runtime.__version__).partition("-")[0]
        return devices.described(self._config, model) | {"openvino": version}

    @property
    def state(self) -> Mapping[str, str]:
        return devices.cpu_state()

    def load(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        return onnx_file.load(network, inputs, self._config, lambda file: self._read(file, inputs))

    def _read(self, file: bytes, inputs: Inputs) -> Loaded:
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_PRECISION_HINT": PRECISION[self._config.dtype][0],
        }
        if self._at == "CPU":  # on cores that the process is kept to, not on those that it chooses
            options |= {"INFERENCE_NUM_THREADS": str(self._config.threads), "ENABLE_CPU_PINNING": "NO"}
        with refusing("openvino"):
            compiled = self._core.compile_model(self._core.read_model(file), self._at, options)
            request = self._request(compiled, inputs)
            request.infer(share_outputs=True)  # a kernel may refuse what it is called with
        return LoadedFile(
            file,
            inputs,
            self._config,
            lambda: request.infer(share_outputs=True),
            lambda: request.get_output_tensor().data,
        )

    def _request(self, compiled: Any, inputs: Inputs) -> Any:
        """A request with its input set."""
        dtype = "float16" if self._config.dtype == "float16" else "float32"
        x = mapped(lambda array: self._runtime.Tensor(in_dtype(array, dtype)), example(inputs, self._config.batch))
        request = compiled.create_infer_request()
        for taken in compiled.inputs:  # none where the output is the same whatever the input
            request.set_tensor(taken, x[taken.any_name] if isinstance(x, Mapping) else x)
        return request

    def _need_precision(self, name: str) -> None:
        wanted = PRECISION[self._config.dtype][1]
        there = self._core.get_property(self._at, "OPTIMIZATION_CAPABILITIES")
        can = [dtype for dtype, (_, capability) in PRECISION.items() if capability in there]
        if wanted not in there:
            raise UserError(
                f"targets.{name}.dtype: {self._config.device} of {platform.node()} computes in {', '.join(can)} "
                f"with openvino, not in {self._config.dtype}"
            )


def _imported(name: str) -> Any:
    try:
        with _unreported():
            import openvino
    except ImportError:
        what = f"targets.{name}.backend: openvino is not installed on {platform.node()}"
        raise UserError(f"{what}; {how_to_install('openvino')}") from None
    return openvino


@contextmanager
def _unreported() -> Iterator[None]:
    """An import of openvino in the block finds no openvino_telemetry, which would report it to its makers."""
    reporter = "openvino_telemetry"
    before = sys.modules.get(reporter)
    sys.modules[reporter] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[reporter]
        if before is not None:
            sys.modules[reporter] = before
