"""A file in whole numbers of 8 bits, quantised after training by the runtime that it is for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from evonas.errors import UserError
from evonas.evaluation.quantised import chosen
from evonas.evaluation.task_metrics import MetricError, rows
from evonas.exporters.exporter import Array, Exporter, named
from evonas.inputs import mapped
from evonas.tasks.task import Split, Task
from evonas.text import describe_error

CALIBRATED_BY = 512
"""Training examples by which the ranges of activations are found; fewer where there are no more."""
BATCH = 64


@dataclass(frozen=True, slots=True)
class Quantised:
    """A file in 8 bits, and what that costs.

    Args:
        file: the file.
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


def quantised(exporter: Exporter, network: nn.Module, file: bytes, task: Task, x: Any) -> Quantised:
    """Weights per channel and activations per tensor as int8.

    Args:
        exporter: of a format with `int8`.
        network: in evaluation mode on the CPU, that takes stored examples.
        file: the same in float32.
        task: with its data: the training examples calibrate, the validation examples judge.
        x: an input of the file, whose types theirs are made.

    Raises:
        UserError: a library is missing, or the runtime cannot quantise the network.
    """
    assert exporter.int8 is not None, "the format has one"
    assert exporter.session is not None, "as a format with `int8` has"
    train, valid = task.splits.train, task.splits.valid
    examples = chosen(train, CALIBRATED_BY)
    try:
        made = exporter.int8(network, file, _batches(train, examples, x))
        metric = next(iter(task.metrics))
        before, after = (judged(exporter.session(which), task, metric, x) for which in (file, made))
    except ImportError as error:
        raise UserError(f"--int8: {error}") from None
    except (UserError, MetricError):
        raise
    except Exception as error:
        raise UserError(
            f"--int8: {exporter.backends[0]} cannot quantise the network: {describe_error(error)}"
        ) from error
    return Quantised(made, len(examples), metric, before, after, len(valid), len(file))


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


def _batches(split: Split, examples: Array, x: Any) -> Iterator[Any]:
    for start in range(0, len(examples), BATCH):
        yield _read(split, examples[start : start + BATCH], x)[0]


def _read(split: Split, some: Array, x: Any) -> tuple[Any, Array]:
    inputs, y = split.read(some)
    types = {name: part.numpy().dtype for name, part in named(x).items()}
    if isinstance(inputs, dict):
        return {name: part.astype(types[name], copy=False) for name, part in inputs.items()}, y
    return mapped(lambda part: np.asarray(part).astype(types["input"], copy=False), inputs), y
