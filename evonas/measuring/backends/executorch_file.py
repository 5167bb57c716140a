"""A network becomes a program of ExecuTorch, lowered to XNNPACK; in 8 bits by XNNPACK's own quantiser."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from evonas.installing import how_to_install
from evonas.measuring.backends import executorch
from evonas.measuring.backends.operators import missing
from evonas.measuring.backends.positional import ordered, positional

PREPARED = ("prepare", "network.prepare")
"""Where a network as it is shipped has what the task does to stored examples: `Shipped`, or that with named inputs."""


def write(network: nn.Module, x: Any, calibration: Sequence[Any] = ()) -> bytes:
    """A program for as many examples as `x` has.

    Args:
        network: in evaluation mode on the CPU.
        x: its input, tensors.
        calibration: inputs by which the ranges of activations are found; none: in float32.

    Raises:
        ImportError: a library is missing.
        NoOperator: the conversion has no operator that the network calls.
        Exception: whatever else the conversion raises.
    """
    if importlib.util.find_spec("executorch") is None:
        raise ImportError(f"networks are converted with executorch; {how_to_install('executorch')}")
    whole, parts = ordered(network, x), positional(x)
    program = torch.export.export(whole, parts, strict=False)
    if calibration:
        program = torch.export.export(_quantised(program.module(), calibration), parts, strict=False)
    try:
        return _lowered(program)
    except Exception as error:
        convert = lambda part: _lowered(torch.export.export(part, parts, strict=False))  # noqa: E731
        if found := missing("executorch", whole, parts, convert, error):
            raise found from error
        raise


def loads(module: nn.Module, parts: tuple[Any, ...]) -> None:
    """Convert a network, load its file and run it once.

    Raises:
        Exception: whatever one of these raises.
    """
    executorch.first_pass(executorch.method_of(_lowered(torch.export.export(module, parts, strict=False))), parts)


def _lowered(program: Any) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    found: bytes = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer
    return found


def _quantised(module: nn.Module, calibration: Sequence[Any]) -> nn.Module:
    """Weights per channel and activations per tensor, as XNNPACK has kernels for; what the task's `prepare` does stays
    in float32, as in files of ONNX (onnx_int8.py)."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    quantiser.set_filter_function(lambda node: not _prepares(node))
    observed = prepare_pt2e(module, quantiser)
    with torch.no_grad():
        for x in calibration:
            observed(*positional(x))
    made: nn.Module = convert_pt2e(observed)
    return made


def _prepares(node: Any) -> bool:
    """Whether a node of a graph is of the task's `prepare`, by the modules that it is in."""
    paths = (path.removeprefix("L['self'].") for path, _ in node.meta.get("nn_module_stack", {}).values())
    return any(path in PREPARED for path in paths)
