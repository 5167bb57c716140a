"""How a network does on the examples of a split: its outputs, its loss and the metrics of the task."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData, numbers
from evonas.evaluation.batches.examples import Examples
from evonas.evaluation.task_metrics import rows
from evonas.evaluation.training.mixed_precision import autocast
from evonas.evaluation.training.precision import precision
from evonas.evaluation.training.step import to_channels_last
from evonas.inputs import called
from evonas.tasks.task import Task

GPU_NUMBERS = 2**26
"""Numbers that go into a validation pass on a GPU, unless a training batch has more: 256 MB in float32."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How a network does on the examples of a split.

    Args:
        loss: the mean an example.
        metrics: each metric of the task by name.
    """

    loss: float
    metrics: Mapping[str, float]


def score(
    network: nn.Module, examples: Examples, data: DeviceData, task: Task, config: TrainingConfig | None = None
) -> Scores:
    """How a network does on a split: validation, test, or whatever was put on the device.

    Args:
        network: on `data.device`; it is left in evaluation mode.
        examples: those to score, e.g. `examples_on(task.splits.test, data.device)`.
        data: whose `prepare` and device are used.
        task: whose loss and metrics are computed.
        config: of the precision; default: that of a search.
    """
    found, _ = scored(network, examples, data, task, config or TrainingConfig())
    loss, *metrics = found.tolist()
    return Scores(loss, dict(zip(task.metrics, metrics, strict=True)))


@torch.inference_mode()
def scored(
    network: nn.Module,
    examples: Examples,
    data: DeviceData,
    task: Task,
    config: TrainingConfig,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """How a network does on a split, on the device.

    Returns:
        (1 + metrics,) float64: the mean loss, then each metric of the task; and the statistics that each metric was
        reduced from, (N, k) of all examples.

    Raises:
        MetricError: the statistics of a metric are not one row an example.
    """
    total = torch.zeros((), dtype=torch.float64, device=data.device)
    parts: dict[str, list[Tensor]] = {name: [] for name in task.metrics}
    for output, y in outputs(network, examples, data, config):
        total += task.loss(output, y, 0.0) * len(y)
        for name, metric in task.metrics.items():
            parts[name].append(rows(name, metric.statistics(output, y), len(y)))
        checkpoint()
    statistics = {name: torch.cat(own) for name, own in parts.items()}
    values = [metric.reduce(statistics[name]) for name, metric in task.metrics.items()]
    return torch.stack([total / len(examples), *(value.double().reshape(()) for value in values)]), statistics


@torch.inference_mode()
def outputs(
    network: nn.Module, examples: Examples, data: DeviceData, config: TrainingConfig
) -> Iterator[tuple[Tensor, Tensor]]:
    """What a network, which is left in evaluation mode, gives for all examples in order: batches of outputs in float32
    and targets, on the device."""
    network.eval()
    dtype = precision(config, data.device)
    for x, y in examples.in_order(validation_batch(data, examples, config)):
        with autocast(dtype, data.device):
            output = called(network, to_channels_last(data.prepare(x)))
        yield output.float(), y


def validation_batch(data: DeviceData, examples: Examples, config: TrainingConfig) -> int:
    """Examples in one validation pass: on a GPU as many as in the training batch, and more of small ones; on a CPU as
    many as its caches hold (measured: 2^16 numbers)."""
    x, _ = next(examples.in_order(1))
    if data.device.type == "cpu":
        return min(1024, max(64, 2**16 // numbers(x)))
    return max(1, min(2048, max(config.batch_size, GPU_NUMBERS // numbers(x))) // data.validation_parts)
