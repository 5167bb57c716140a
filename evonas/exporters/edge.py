"""Formats `pte` and `tflite`: for ExecuTorch and LiteRT, which run networks on phones and boards.

A file takes one example: memory is planned when it is written.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.exporters.exporter import Array, Exporter
from evonas.inputs import mapped, size
from evonas.measuring.backends import executorch_file, litert_file
from evonas.measuring.backends.export import silent
from evonas.measuring.backends.running import RUNNERS

Write = Callable[[nn.Module, Any, Sequence[Any]], bytes]


def _writes(write: Write) -> Callable[[nn.Module, Any], bytes]:
    def one(network: nn.Module, x: Any) -> bytes:
        """See `Exporter`."""
        return _quietly(write, network, mapped(lambda part: part[:1], x), ())

    return one


def _quantises(write: Write) -> Callable[[nn.Module, bytes, Any], bytes]:
    def one(network: nn.Module, file: bytes, calibration: Any) -> bytes:
        """See `Exporter`."""
        tensors = [mapped(torch.from_numpy, x) for batch in calibration for x in _each(batch)]
        return _quietly(write, network, tensors[0], tensors)

    return one


def _quietly(write: Write, network: nn.Module, x: Any, calibration: Sequence[Any]) -> bytes:
    with silent(), torch.random.fork_rng(devices=[]):
        return write(network, x, calibration)


def _session(backend: str) -> Callable[[bytes], Callable[[Any], Array]]:
    def session(file: bytes) -> Callable[[Any], Array]:
        """See `Exporter`."""
        run = RUNNERS[backend](file, 1)
        return lambda x: np.concatenate([run(one) for one in _each(x)])

    return session


def _each(x: Any) -> list[Any]:
    """The examples of a batch, one by one, each in memory of its own."""
    return [mapped(lambda part, i=i: np.array(part[i : i + 1]), x) for i in range(size(x))]  # type: ignore[misc]


def _exporter(backend: str, write: Write, hint: str) -> Exporter:
    session = _session(backend)
    return Exporter(
        _writes(write),
        lambda file, x: session(file)(x),
        hint,
        backends=(backend,),
        examples=1,
        int8=_quantises(write),
        session=session,
    )


PTE = _exporter("executorch", executorch_file.write, "executorch.runtime.Runtime.get().load_program({path!r})")
TFLITE = _exporter("litert", litert_file.write, "ai_edge_litert.interpreter.Interpreter({path!r})")
