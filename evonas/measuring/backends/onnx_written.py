"""A network becomes a file of ONNX, for ONNX Runtime and OpenVINO; in 8 bits by ONNX Runtime's quantiser."""

import importlib.util
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.inputs import mapped
from evonas.installing import how_to_install
from evonas.measuring.backends import onnx_int8, onnx_runtime
from evonas.measuring.backends.conversion import traced_or
from evonas.measuring.backends.operators import by_name, missing
from evonas.measuring.backends.positional import ordered, positional
from evonas.measuring.backends.refused import Refused, refusing


def write(network: nn.Module, x: Any, calibration: Sequence[Any] = ()) -> bytes:
    """A file for as many examples as `x` has.

    Args:
        network: in evaluation mode on the CPU.
        x: its input, tensors.
        calibration: inputs by which the ranges of activations are found; none: in the dtype of `x`.

    Raises:
        UserError: onnx is missing.
        NoOperator: ONNX, or the quantiser, has no operator that the network calls.
        Exception: whatever else the conversion raises.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UserError(f"networks are converted with onnx; {how_to_install('onnxruntime')}, or the extra `openvino`")
    whole, parts = ordered(network, x), positional(x)
    try:
        file = of_parts(whole, parts, x)
    except Exception as error:
        raise by_name("ONNX", whole, parts, error) from error.__cause__
    if not calibration:
        return file
    try:
        with refusing("onnxruntime"):
            return onnx_int8.quantised(file, (onnx_int8.by_name(file, mapped(Tensor.numpy, x)) for x in calibration))
    except Refused as error:  # it runs the file to see the ranges
        if found := missing("onnxruntime", whole, parts, lambda part: loads(part, parts), error, "run"):
            raise found from error
        raise


def of_parts(network: nn.Module, parts: tuple[Any, ...], x: Any) -> bytes:
    """The file of a network that takes its inputs in order. It is traced, which takes a tenth of a second; what that
    does not know, the slower exporter of today converts.

    Args:
        network: in evaluation mode on the CPU.
        parts: its inputs.
        x: by which they get their names, where there are several.

    Raises:
        Exception: whatever the conversion raises.
    """
    names = list(x) if isinstance(x, Mapping) else None

    def trace() -> bytes:
        file: Any = io.BytesIO()
        torch.onnx.export(network, parts, file, input_names=names, dynamo=False)
        return bytes(file.getvalue())

    def convert() -> bytes:
        program: Any = torch.onnx.export(network, parts, input_names=names, dynamo=True, verbose=False)
        return bytes(program.model_proto.SerializeToString())

    return traced_or(trace, convert, network, parts)


def runs(module: nn.Module, parts: tuple[Any, ...], x: Any, run: Callable[[bytes], object]) -> None:
    """Convert a part of a network, and run its file. Where a part cannot be converted, though the network can, it says
    nothing of the runtime.

    Args:
        module: the part.
        parts: its inputs.
        x: as `of_parts` takes it.
        run: fails for a file that does not run.

    Raises:
        Exception: whatever `run` raises.
    """
    try:
        file = of_parts(module, parts, x)
    except Exception:
        return
    run(file)


def loads(module: nn.Module, parts: tuple[Any, ...]) -> None:
    """Convert a part of a network, and run its file once with ONNX Runtime.

    Raises:
        Refused: it does not run.
    """
    x = {f"input_{place}": part for place, part in enumerate(parts)}
    feed = {name: part.numpy() for name, part in x.items()}
    runs(module, parts, x, lambda file: onnx_runtime.first_pass(file, feed))
