"""What is kept of the examples that a metric was computed of: which of a task's metrics have scores, and their bytes.

A metric has them where it is the mean, or the root of the mean, of one number an example, so that it can be computed
again of other examples than those at hand. One that is another function of rows of numbers (F1, the area under a
curve, R2) has none.
"""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from evonas.scores import encoded, kept
from evonas.tasks.metrics import TaskMetric, reduction


def to_keep(metrics: Mapping[str, TaskMetric], statistics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The numbers to be kept, where they are: nothing waits for the device.

    Args:
        metrics: of the task.
        statistics: name -> (N, k) of all examples.

    Returns:
        Name -> (n,) float64, of the metrics that have scores; n is N or less.
    """
    scored = [name for name, metric in metrics.items() if reduction(metric)]
    found = {name: statistics[name][:, 0].double() for name in scored}
    return {name: values[_places(values)] for name, values in found.items()}


def in_bytes(names: Mapping[str, Tensor], values: Tensor) -> dict[str, bytes]:
    """
    Args:
        names: as `to_keep` gave them.
        values: all their numbers, one metric behind another, on the host.

    Returns:
        Name -> bytes of `evonas.scores`, of those that are finite.
    """
    found: dict[str, bytes] = {}
    ends = np.cumsum([len(one) for one in names.values()])[:-1]
    for name, part in zip(names, np.split(values.numpy(), ends), strict=False):  # of no names there is one part
        with suppress(ValueError):  # its metric is not finite either
            found[name] = encoded(part)
    return found


def _places(values: Tensor) -> Tensor | slice:
    chosen = kept(len(values))
    return slice(None) if len(chosen) == len(values) else torch.from_numpy(chosen).to(values.device)
