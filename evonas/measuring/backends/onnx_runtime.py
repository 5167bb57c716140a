"""ONNX Runtime as a backend. It needs no torch where a network comes as a file."""

import os
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import example, in_dtype, mapped
from evonas.installing import how_to_install
from evonas.measuring import float32, nvml
from evonas.measuring.backends import devices, onnx_file
from evonas.measuring.backends.backend import Array, Loaded
from evonas.measuring.backends.heard import heard, reason
from evonas.measuring.backends.onnx_file import LoadedFile
from evonas.measuring.backends.refused import refusing
from evonas.records import Inputs
from evonas.text import one_line

if TYPE_CHECKING:
    from torch import nn

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
QUIET = 3
"""Errors only."""


class OnnxRuntime:
    """ONNX Runtime runs networks with its default optimisations, the input already on the device.

    Args:
        name: of the target, for messages.
        config: the target's.

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
                + (f"; {_how_to_install()}" if self._kind == "cuda" else "")
            )
        self._model, self._device = ("", "cpu") if self._kind == "cpu" else devices.gpu(devices.index(config))

    @property
    def device(self) -> str:
        return self._device

    @property
    def conditions(self) -> Mapping[str, str]:
        versions = {"onnxruntime": str(self._runtime.__version__)}
        if self._kind == "cuda":
            versions |= devices.driver() | {"float32": "ieee" if float32.forbidden() else "tf32"}  # its default
        return devices.described(self._config, self._model or devices.cpu()) | versions

    @property
    def state(self) -> Mapping[str, str]:
        return {**devices.cpu_state(), **(nvml.state(self._device) if self._kind == "cuda" else {})}

    def load(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        return onnx_file.load(network, inputs, self._config, lambda file: self._read(file, inputs))

    def _read(self, file: bytes, inputs: Inputs) -> Loaded:
        with refusing("onnxruntime"):
            return self._ran(file, inputs)

    def _ran(self, file: bytes, inputs: Inputs) -> Loaded:
        """What is loaded, after a first pass, in which a kernel may refuse what it is called with."""
        provider, index = PROVIDERS[self._kind], devices.index(self._config)
        where = [(provider, {"device_id": index})] if self._kind == "cuda" else [provider]
        session, said = self._session(file, where)
        if session.get_providers()[0] != provider:  # it falls back to the CPU
            why = one_line(reason(said)) or "it does not say what"
            raise UserError(f"targets.{self._name}.device: onnxruntime cannot load what it needs for {provider}: {why}")
        bound = self._bound(session, inputs)

        def run() -> None:
            session.run_with_iobinding(bound)
            bound.synchronize_outputs()

        run()
        return LoadedFile(file, inputs, self._config, run, lambda: bound.copy_outputs_to_cpu()[0])

    def _session(self, file: bytes, where: list[Any]) -> tuple[Any, list[str]]:
        """A session, and what was said on the standard error meanwhile, of a GPU's."""
        if self._kind == "cpu":
            return self._runtime.InferenceSession(file, self._options(), providers=where), []
        with heard() as said:
            _preload(self._runtime)
            session = self._runtime.InferenceSession(file, self._options(), providers=where)
        return session, said

    def _bound(self, session: Any, inputs: Inputs) -> Any:
        """The session's input, which lies on the device, and where its output is to lie."""
        device = self._kind, devices.index(self._config)
        dtype = "float16" if self._config.dtype == "float16" else "float32"  # what is in 8 bits takes float32
        x = mapped(lambda array: in_dtype(array, dtype), example(inputs, self._config.batch))
        bound = session.io_binding()
        for taken in session.get_inputs():  # none where the output is the same whatever the input
            own = x[taken.name] if isinstance(x, Mapping) else x
            bound.bind_ortvalue_input(taken.name, self._runtime.OrtValue.ortvalue_from_numpy(own, *device))
        bound.bind_output(session.get_outputs()[0].name, *device)
        return bound

    def _options(self) -> Any:
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = self._config.threads
        options.inter_op_num_threads = 1
        options.execution_mode = self._runtime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.force_spinning_stop", "1")  # or its threads disturb the next network
        return options


def runner(file: bytes, threads: int) -> Callable[[Any], Array]:
    """What runs a file on the CPU as often as one likes.

    Args:
        file: ONNX.
        threads: of a pass.

    Returns:
        A function (input as numpy arrays) -> the output.

    Raises:
        ImportError: onnxruntime is not installed.
        Refused: it does not load the file.
    """
    made = _on_cpu(file, threads)
    taken = [part.name for part in made.get_inputs()]  # none where the output is the same whatever the input

    def run(x: Any) -> Array:
        (output,) = made.run(None, {name: x[name] if isinstance(x, Mapping) else x for name in taken})
        return np.asarray(output, np.float32)

    return run


def first_pass(file: bytes, x: Mapping[str, Any]) -> None:
    """Run a file once on the CPU.

    Args:
        file: ONNX.
        x: its inputs by name, as numpy arrays.

    Raises:
        ImportError: onnxruntime is not installed.
        Refused: it does not run.
    """
    made = _on_cpu(file, 1)
    with refusing("onnxruntime"):
        made.run(None, {part.name: x[part.name] for part in made.get_inputs()})


def _on_cpu(file: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, QUIET
    with refusing("onnxruntime"):
        return onnxruntime.InferenceSession(file, options, providers=[PROVIDERS["cpu"]])


def _how_to_install() -> str:
    """The builds for CPU and GPU share a folder: which of two is imported there, chance decides."""
    remove = "pip uninstall -y onnxruntime onnxruntime-gpu; " if find_spec("onnxruntime") else ""
    return f"{remove}{how_to_install('onnxruntime-gpu')}"


def _preload(runtime: Any) -> None:
    """Find the libraries of CUDA and cuDNN that torch's wheels have, in the place of a CUDA of the machine's own."""
    if not hasattr(runtime, "preload_dlls"):  # since 1.21
        return
    with suppress(ImportError):
        import torch  # noqa: F401  # whose libraries are taken where they are loaded
    runtime.preload_dlls()


def _imported(name: str) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it reports to its makers; read when it is imported
    try:
        import onnxruntime
    except ImportError:
        what = f"targets.{name}.backend: onnxruntime is not installed on {platform.node()}"
        raise UserError(f"{what}; {how_to_install('onnxruntime')}") from None
    return onnxruntime
