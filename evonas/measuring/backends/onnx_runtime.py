"""Networks in ONNX Runtime. Needs no torch where a network comes as a file."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import example, in_dtype, mapped
from evonas.measuring.backends import devices
from evonas.measuring.backends.backend import Array, Loaded
from evonas.measuring.backends.footprint import footprint_mb
from evonas.measuring.backends.onnx_file import self_contained
from evonas.records import Inputs

if TYPE_CHECKING:
    from torch import nn

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
QUIET = 3
"""Errors only."""


class OnnxRuntime:
    """ONNX Runtime with its default optimisations, the input already on the device.

    Raises:
        UserError: onnxruntime is not installed or not for this device, or has no such dtype.
    """

    def __init__(self, name: str, config: TargetConfig) -> None:
        self._config, self._name = config, name
        self._runtime = _imported(name)
        self._kind = config.device.partition(":")[0]
        if config.dtype == "bfloat16":
            raise UserError(f"targets.{name}.dtype: onnxruntime takes float32 or float16, not bfloat16")
        there = self._runtime.get_available_providers()
        if PROVIDERS.get(self._kind) not in there:
            raise UserError(
                f"targets.{name}.device: this onnxruntime does not run on {config.device}, only by {', '.join(there)}"
                + ("; pip install onnxruntime-gpu" if self._kind == "cuda" else "")
            )
        self._model, self._device = ("", "cpu") if self._kind == "cpu" else devices.gpu(devices.index(config))

    @property
    def device(self) -> str:
        return self._device

    @property
    def conditions(self) -> Mapping[str, str]:
        versions = {"onnxruntime": str(self._runtime.__version__)}
        if self._kind == "cuda":
            versions |= devices.driver()
        return devices.described(self._config, self._model or devices.cpu()) | versions

    @property
    def state(self) -> Mapping[str, str]:
        return devices.cpu_state()

    def load(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        if isinstance(network, bytes):
            return self._read(network, inputs)
        from evonas.measuring.backends import export

        return export.checked(network, inputs, self._config, lambda file: self._read(file, inputs))

    def _read(self, file: bytes, inputs: Inputs) -> Loaded:
        provider = PROVIDERS[self._kind]
        where = [(provider, {"device_id": devices.index(self._config)})] if self._kind == "cuda" else [provider]
        session = self._runtime.InferenceSession(self_contained(file), self._options(), providers=where)
        if session.get_providers()[0] != provider:  # it falls back to the CPU
            raise UserError(f"targets.{self._name}.device: onnxruntime cannot load what it needs for {provider}")
        return _Session(self._runtime, session, file, inputs, self._config)

    def _options(self) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._config.threads
        options.inter_op_num_threads = 1
        options.execution_mode = self._runtime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.force_spinning_stop", "1")  # or its threads disturb the next network
        return options


class _Session:
    def __init__(self, runtime: Any, session: Any, file: bytes, inputs: Inputs, config: TargetConfig) -> None:
        self._session, self._file, self._inputs, self._config = session, file, inputs, config
        device = config.device.partition(":")[0], devices.index(config)
        x = mapped(lambda array: in_dtype(array, config.dtype), example(inputs, config.batch))
        self._bound = session.io_binding()
        for taken in session.get_inputs():  # none where the output is the same whatever the input
            own = x[taken.name] if isinstance(x, Mapping) else x
            self._bound.bind_ortvalue_input(taken.name, runtime.OrtValue.ortvalue_from_numpy(own, *device))
        self._bound.bind_output(session.get_outputs()[0].name, *device)

    def passes(self, count: int) -> Sequence[float]:
        return [self._pass() for _ in range(count)]

    def output(self) -> Array:
        self._pass()
        found: Array = self._bound.copy_outputs_to_cpu()[0].astype(np.float32)
        return found

    def memory_mb(self) -> float:
        return footprint_mb(self._file, self._inputs, self._config)

    def _pass(self) -> float:
        start = time.perf_counter_ns()
        self._session.run_with_iobinding(self._bound)
        self._bound.synchronize_outputs()
        return (time.perf_counter_ns() - start) / 1e6


def _imported(name: str) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it reports to its makers; read when it is imported
    try:
        import onnxruntime
    except ImportError:
        what = f"targets.{name}.backend: onnxruntime is not installed on {platform.node()}"
        raise UserError(f"{what}; pip install 'evonas[onnxruntime]'") from None
    return onnxruntime
