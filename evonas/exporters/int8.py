"""An ONNX file in whole numbers of 8 bits: static quantisation after training, by ONNX Runtime."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evonas.errors import UserError
from evonas.evaluation.task_metrics import MetricError, rows
from evonas.exporters.exporter import Array, named
from evonas.exporters.onnx import session
from evonas.inputs import mapped
from evonas.installing import how_to_install
from evonas.measuring.backends.export import silent
from evonas.seeding import stream
from evonas.tasks.audio.spectrogram import Spectrogram
from evonas.tasks.table.prepare import TableColumns
from evonas.tasks.task import Split, Task
from evonas.text import describe_error

CALIBRATED_BY = 512
"""Training examples by which the ranges of activations are found; fewer where there are no more."""
BATCH = 64
PREPARED = ("/prepare/", "/network/prepare/")
"""How the nodes of `prepare` are called. Those of a table stay as they are: its numbers have units of their own,
outliers and gaps, of which 8 bits leave nothing. So do those of recordings: 8 bits have no room for powers."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """A file in 8 bits, and what that costs.

    Args:
        file: the ONNX file.
        calibrated_by: training examples that the ranges of activations are of.
        metric: the task's first one.
        before, after: its value on the validation examples, of the file in float32 and of the one in 8 bits.
        validated_by: validation examples that these are of.
        bytes_before: size of the file in float32.
        learned_from: the network has learned from the validation examples too.
    """

    file: bytes
    calibrated_by: int
    metric: str
    before: float
    after: float
    validated_by: int
    bytes_before: int
    learned_from: bool = False

    def __str__(self) -> str:
        learned = ", which it learned from," if self.learned_from else ""
        return (
            f"int8, calibrated on {self.calibrated_by:,} training examples: {self.metric} of {self.validated_by:,} "
            f"validation examples{learned} {self.before:.4g} before, {self.after:.4g} after; "
            f"{self.bytes_before / 1e3:,.0f} kB before, {len(self.file) / 1e3:,.0f} kB after"
        )


def quantised(file: bytes, task: Task, x: Any) -> Quantised:
    """Weights per channel and activations per tensor as int8, with QuantizeLinear and DequantizeLinear beside each.

    Args:
        file: ONNX, in float32, that takes stored examples.
        task: with its data: the training examples calibrate, the validation examples judge.
        x: an input of the file, whose types theirs are made.

    Raises:
        UserError: a library is missing, or ONNX Runtime cannot quantise the file.
    """
    train, valid = task.splits.train, task.splits.valid
    count = min(CALIBRATED_BY, len(train))
    chosen = np.sort(stream(0, "calibration").permutation(len(train))[:count])
    try:
        exact = PREPARED if isinstance(task.prepare, TableColumns | Spectrogram) else ()
        made = _statically(file, _batches(train, chosen, x), exact)
        metric = next(iter(task.metrics))
        before, after = (judged(session(which), task, metric, x) for which in (file, made))
    except ImportError as error:
        raise UserError(f"--int8: {error}") from None
    except (UserError, MetricError):
        raise
    except Exception as error:
        raise UserError(f"--int8: onnxruntime cannot quantise the network: {describe_error(error)}") from error
    return Quantised(made, count, metric, before, after, len(valid), len(file))


def judged(run: Callable[[Any], Array], task: Task, metric: str, x: Any) -> float:
    """A metric of the validation examples, through a runtime.

    Args:
        run: (input as numpy arrays) -> the output.
        task: with its data.
        metric: one of its metrics.
        x: an input of the file, whose types those of the examples are made.
    """
    valid, own, found = task.splits.valid, task.metrics[metric], []
    for some in np.array_split(np.arange(len(valid)), -(-len(valid) // BATCH)):
        inputs, y = _read(valid, some, x)
        output = torch.from_numpy(run(inputs)).float()
        if task.finish is not None:
            output = task.finish.undone(output)
        found.append(rows(metric, own.statistics(output, torch.from_numpy(y)), len(y)))
    return float(own.reduce(torch.cat(found)))


def _statically(file: bytes, batches: Iterator[Any], exact: tuple[str, ...]) -> bytes:
    """The file in 8 bits, but for nodes whose names begin as those of `exact`."""
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError:
        raise ImportError(f"it needs onnx and onnxruntime; {how_to_install('onnxruntime')}") from None

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, Array] | None:
            x = next(batches, None)
            return None if x is None else named(x)  # type: ignore[return-value]

    with tempfile.TemporaryDirectory() as folder, silent():
        out = Path(folder) / "int8.onnx"
        model = onnx.load_from_string(file)
        left = [node.name for node in model.graph.node if node.name.startswith(exact)] if exact else None
        quantization.quantize_static(model, str(out), Reader(), per_channel=True, nodes_to_exclude=left)
        return out.read_bytes()


def _batches(split: Split, chosen: Array, x: Any) -> Iterator[Any]:
    for start in range(0, len(chosen), BATCH):
        yield _read(split, chosen[start : start + BATCH], x)[0]


def _read(split: Split, some: Array, x: Any) -> tuple[Any, Array]:
    inputs, y = split.read(some)
    types = {name: part.numpy().dtype for name, part in named(x).items()}
    if isinstance(inputs, dict):
        return {name: part.astype(types[name], copy=False) for name, part in inputs.items()}, y
    return mapped(lambda part: np.asarray(part).astype(types["input"], copy=False), inputs), y
