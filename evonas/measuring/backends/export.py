"""A network becomes a file that a backend loads: the file goes to a board, and its size can be an objective.

A converted network is trusted only when its output agrees with that of the network itself.
"""

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import called, example, mapped
from evonas.measuring.backends import aten_graph, executorch_file, litert_file, onnx_written
from evonas.measuring.backends.backend import Loaded
from evonas.measuring.backends.conversion import NoOperator, reason
from evonas.measuring.backends.graph_parts import Convert
from evonas.measuring.backends.heard import heard
from evonas.measuring.backends.operators import by_name, missing
from evonas.measuring.backends.positional import ordered, positional
from evonas.measuring.backends.refused import Refused
from evonas.records import Inputs

TOLERANCE = {"float32": 0.01, "float16": 0.05, "bfloat16": 0.2}
"""Largest difference of an output, as a share of the largest output. The rounding of each layer (2^-24, 2^-11, 2^-8 of
its values) adds up over some ten layers, and a GPU multiplies float32 with the precision of float16 (TF32). A network
that was traced wrongly is off by the size of its outputs. 8 bits have no such bound: how far they are off depends on
the weights, is of no concern before training, and is a metric behind it."""


MADE_UP = 64
"""Examples that a network in 8 bits is calibrated by where there are no others, at least. Which ones, and whether it is
trained, is nothing to its latency and size: scales and weights are other numbers in the same operators and types, and
the kernels of 8 bits take the same time for all numbers."""
OTHER_SEED = 1
"""The seed of the example that a network is traced with, which is not that of its check."""


class ExportError(Exception):
    """The network cannot be converted for a backend, or is another one afterwards. The message is one line."""


def to_file(network: nn.Module, inputs: Inputs, config: TargetConfig, calibration: Sequence[Any] = ()) -> bytes:
    """Convert a network in evaluation mode, for inputs of config.batch examples: to what `FORMS` has for the backend,
    else to what `aten_graph` makes of it. The network and torch's random state are left as they were.

    The example that it is traced with is not that of `check`, so that a network which computes with what it reads from
    its input, as a number of Python, does not pass.

    Args:
        network: on any device.
        inputs: what it takes in.
        config: the target's.
        calibration: of dtype int8: inputs of config.batch examples, as numpy arrays; none: made-up ones.

    Raises:
        ExportError: it cannot be converted.
        UserError: a library is missing.
    """
    dtype = _dtype(config)
    by = _calibration(inputs, config, calibration) if config.dtype == "int8" else ()
    x = mapped(lambda array: _cast(torch.from_numpy(array), dtype), example(inputs, config.batch, seed=OTHER_SEED))
    with silent(), torch.random.fork_rng(devices=[]):
        probe = _in_order(copy.deepcopy(network).to("cpu", dtype).eval())
        try:
            return FORMS[config.backend](probe, x, by) if takes_form(config) else _calls(probe, x)
        except (UserError, MemoryError, torch.OutOfMemoryError):
            raise
        except ImportError as error:
            raise UserError(str(error)) from None
        except NoOperator as error:
            raise ExportError(f"it cannot be converted: {reason(error)}") from error
        except Exception as error:
            if not takes_form(config):
                _passed(probe, x)
            raise ExportError(f"it cannot be converted for {config.backend}: {reason(error)}") from error


def _calls(network: nn.Module, x: Any) -> bytes:
    try:
        return aten_graph.to_bytes(network, x)
    except Exception as error:
        raise by_name("evonas", ordered(network, x), positional(x), error, "send") from error.__cause__


@torch.no_grad()
def _passed(network: nn.Module, x: Any) -> None:
    """A network that fails by itself says why, as it does where it is not converted."""
    called(network, x)


def _in_order(network: nn.Module) -> nn.Module:
    """Weights lie in memory as their shapes say. Trained ones may lie with their channels last, for which LiteRT's
    conversion gives another network and ExecuTorch's none."""
    for weights in network.parameters():
        weights.data = weights.data.contiguous()
    return network


def check(network: nn.Module, inputs: Inputs, config: TargetConfig, output: npt.ArrayLike) -> None:
    """Compare what a network gives before and after its conversion, as a whole; in 8 bits only that it is an output.

    Args:
        network: the one that was converted.
        inputs: what it takes in.
        config: the target's.
        output: what the converted one gives for `example(inputs, config.batch)`, (batch, *output shape).

    Raises:
        ExportError: it is not what the network makes of it.
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        x = mapped(torch.from_numpy, example(inputs, config.batch))
        expected = called(copy.deepcopy(network).cpu().float().eval(), x).numpy()
    found = np.asarray(output, np.float32)
    if found.shape != expected.shape:
        raise ExportError(f"on {config.backend} its output has the shape {found.shape} instead of {expected.shape}")
    if config.dtype == "int8":
        if not np.isfinite(found).all():
            raise ExportError(f"on {config.backend} its output in 8 bits is not finite")
        return
    largest = np.abs(expected).max()
    off = np.abs(found - expected).max() / largest if largest else np.abs(found).max()
    allowed = TOLERANCE[config.dtype]
    if not off <= allowed:
        raise ExportError(
            f"on {config.backend} its output differs from PyTorch's by {off:.2g} of the largest; {allowed:g} is allowed"
        )


def checked(network: nn.Module, inputs: Inputs, config: TargetConfig, load: Callable[[bytes], Loaded]) -> Loaded:
    """Load a network through a file, and check it.

    Args:
        network: a module.
        inputs: what it takes in.
        config: the target's.
        load: loads the file.

    Raises:
        ExportError: it cannot be converted, or is another one afterwards.
    """
    file = to_file(network, inputs, config)
    with refusals_named(network, inputs, config, load):
        loaded = load(file)
        output = loaded.output()
    check(network, inputs, config, output)
    return loaded


@contextmanager
def refusals_named(
    network: nn.Module, inputs: Inputs, config: TargetConfig, load: Callable[[bytes], object] | None = None
) -> Iterator[None]:
    """A block that loads and runs the file of a network.

    Args:
        network: that was converted.
        inputs: what it takes in.
        config: the target's.
        load: loads and runs a file of ONNX there; default: ONNX Runtime does, on the CPU.

    Raises:
        ExportError: the runtime refuses a call of the network; it is named.
        Exception: whatever else the block raises.
    """
    try:
        yield
    except Exception as error:
        if found := refused_call(network, inputs, config, error, load):
            raise ExportError(found) from error
        if isinstance(error, Refused):
            raise ExportError(str(error)) from error
        raise


def refused_call(
    network: nn.Module,
    inputs: Inputs,
    config: TargetConfig,
    error: Exception,
    load: Callable[[bytes], object] | None = None,
) -> str:
    """One line that says which call of a network a target's runtime cannot run, why, and where it stands.

    Args:
        network: that was converted.
        inputs: what it takes in.
        config: the target's.
        error: what the runtime says.
        load: loads and runs a file of ONNX there; default: ONNX Runtime does, on the CPU.

    Returns:
        "" where that is not found out.
    """
    x = mapped(lambda array: _cast(torch.from_numpy(array), _dtype(config)), example(inputs, config.batch))
    found = unloadable(config.backend, network, x, error, load)
    return reason(found) if found else ""


def unloadable(
    backend: str, network: nn.Module, x: Any, error: Exception, load: Callable[[bytes], object] | None = None
) -> NoOperator | None:
    """Which call of a network a runtime cannot run, though the network was converted for it.

    Args:
        backend: whose runtime refuses the file.
        network: that the file was made of, which is left as it was.
        x: its input, tensors, in the dtype of the file.
        error: what the runtime says.
        load: loads and runs a file of ONNX; default: ONNX Runtime does, on the CPU.

    Returns:
        None where that is not found out.
    """
    onnx = FORMS.get(backend) is onnx_written.write
    if isinstance(error, UserError) or onnx != isinstance(error, Refused):
        return None
    whole, parts = ordered(_in_order(copy.deepcopy(network).cpu().eval()), x), positional(x)
    if onnx and load:
        tries: Convert = lambda part: onnx_written.runs(part, parts, x, load)  # noqa: E731
    elif backend in LOADS:
        tries = lambda part: LOADS[backend](part, parts)  # noqa: E731
    else:
        return None
    with silent(), torch.random.fork_rng(devices=[]):
        dtype = next((part.dtype for part in parts if part.is_floating_point()), torch.float32)
        return missing(backend, whole.to(dtype), parts, tries, error, "run")


def file_size(network: nn.Module, inputs: Inputs, config: TargetConfig) -> int:
    """The size of the file that a user would deploy: that of the backend, or for PyTorch the weights as a safetensors
    file holds them. Tensors that are equal, as those of an untrained network may be, are in an ONNX file once.

    Args:
        network: a module.
        inputs: what it takes in.
        config: the target's.

    Returns:
        Bytes.

    Raises:
        ExportError, UserError: as `to_file` does.
    """
    if takes_form(config):
        return len(to_file(network, inputs, config))
    held = [t for t in network.state_dict().values() if isinstance(t, Tensor)]
    dtype = _dtype(config)
    sizes = {t.data_ptr(): t.numel() * (dtype if t.is_floating_point() else t.dtype).itemsize for t in held}
    return sum(sizes.values())


def takes_file(config: TargetConfig) -> bool:
    """Whether networks reach the target as a file: because of its backend, or on another machine."""
    return config.remote or takes_form(config)


def takes_form(config: TargetConfig) -> bool:
    """Whether the backend has a form of files that is not torch's."""
    return config.backend in FORMS


def _dtype(config: TargetConfig) -> torch.dtype:
    """The dtype of the weights before they are in the file. ONNX has few operators for bfloat16: OpenVINO converts by
    itself, as quantisers do."""
    if config.dtype == "int8" or (takes_form(config) and config.dtype == "bfloat16"):
        return torch.float32
    dtype: torch.dtype = getattr(torch, config.dtype)
    return dtype


def _calibration(inputs: Inputs, config: TargetConfig, given: Sequence[Any]) -> Sequence[Any]:
    """Batches of tensors."""
    count = -(-MADE_UP // config.batch)
    found = given or [example(inputs, config.batch, seed=OTHER_SEED + 1 + i) for i in range(count)]
    return [mapped(lambda array: torch.from_numpy(np.ascontiguousarray(array)), x) for x in found]


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype) if x.is_floating_point() else x


FORMS: Mapping[str, Callable[[nn.Module, Any, Sequence[Any]], bytes]] = {
    "onnxruntime": onnx_written.write,
    "openvino": onnx_written.write,
    "executorch": executorch_file.write,
    "litert": litert_file.write,
}
"""Backend -> (network on the CPU, its input, inputs to calibrate 8 bits by) -> the file that it loads."""
LOADS: Mapping[str, Callable[[nn.Module, tuple[Any, ...]], None]] = {
    "onnxruntime": onnx_written.loads,
    "executorch": executorch_file.loads,
    "litert": litert_file.loads,
}
"""Backend, whose converter writes files that its runtime may refuse -> (network, its inputs in order) fails as it."""


@contextmanager
def silent() -> Iterator[None]:
    """The exporters warn, log and print at length, some from C++. One prints a graph that it cannot convert, whatever
    it is told: it looks whether the function that would say so is true."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    told = patch.object(torch._C, "_jit_is_onnx_log_enabled", None, create=True)
    try:
        with heard(), warnings.catch_warnings(), told, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
