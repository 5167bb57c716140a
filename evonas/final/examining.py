"""A network on examples that it has not learned from: its metrics, each with an interval over the examples."""

import numpy as np
import torch
from torch import Tensor, nn

from evonas.analysis.intervals import wilson
from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData, examples_on
from evonas.evaluation.task_metrics import rows
from evonas.evaluation.training.scoring import outputs
from evonas.neighbours import block_of, drawn
from evonas.seeding import stream
from evonas.tasks.metrics import TaskMetric
from evonas.tasks.task import Split, Task

RESAMPLES = 1000
NUMBERS = 2**27
"""Statistics that all resamples of a metric take together, at most: of more there are fewer resamples, 100 at least."""


def examined(
    network: nn.Module, split: Split, data: DeviceData, task: Task, training: TrainingConfig
) -> dict[str, float]:
    """Each metric of a task on a split, with the ends of its 95 % interval over the examples.

    Args:
        network: on `data.device`.
        split: the examples.
        data: whose `prepare` is used.
        task: whose metrics.
        training: of the precision.

    Returns:
        NAME, NAME_low and NAME_high of each metric.
    """
    statistics: dict[str, list[Tensor]] = {name: [] for name in task.metrics}
    for output, y in outputs(network, examples_on(split, data.device), data, training):
        for name, metric in task.metrics.items():
            statistics[name].append(rows(name, metric.statistics(output, y), len(y)).cpu())
    return with_intervals({name: torch.cat(parts) for name, parts in statistics.items()}, task)


def with_intervals(statistics: dict[str, Tensor], task: Task) -> dict[str, float]:
    """Metrics and the ends of their intervals, from the statistics (n, k) of each example."""
    found: dict[str, float] = {}
    for name, own in statistics.items():
        metric = task.metrics[name]
        value = float(metric.reduce(own))
        block = block_of(task.overlap, len(own))
        low, high = _wilson(value, max(1, len(own) // block)) if metric.share else _bootstrap(metric, own, block)
        found |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return found


def _wilson(share: float, examples: int) -> tuple[float, float]:
    low, high = wilson(np.array([share]), examples)
    return float(low[0]), float(high[0])


def _bootstrap(metric: TaskMetric, statistics: Tensor, block: int) -> tuple[float, float]:
    """Percentiles of the metric over resamples of the examples (Efron 1979), `block` neighbours together."""
    n = len(statistics)
    resamples = int(np.clip(NUMBERS // statistics.numel(), 100, RESAMPLES))
    random = stream(0, "bootstrap of the examples")
    values = []
    for _ in range(resamples):
        try:
            values.append(float(metric.reduce(statistics[torch.from_numpy(drawn(random, n, block))])))
        except Exception:  # a class is not among them, say
            continue
    known = np.array(values)[np.isfinite(values)] if values else np.array([])
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
