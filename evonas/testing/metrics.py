"""The contract of a metric: see `evonas.objectives.metrics.Metric`."""

import copy
import math

import torch
from torch import nn

from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.untrained.costs import COMPUTED, Compute
from evonas.objectives.metrics import METRICS, registered
from evonas.tasks.task import Task
from evonas.testing import examples
from evonas.testing.checks import attempt, check_travels, network_unchanged, process_unchanged, require


def check_metric(name: str, network: nn.Module | None = None, task: Task | None = None) -> None:
    """Make sure that a metric of `METRICS` keeps its contract. One that is computed of the network is computed.

    Args:
        name: in `METRICS`.
        network: for the task, untrained, on the CPU; default: a small one.
        task: default: two classes of images of 8 x 8 pixels.

    Raises:
        AssertionError: it does not; says where.
    """
    require(name in METRICS, f"METRICS has no {name!r}: register it before it is checked")
    try:
        metric = registered()[name]
    except UserError as error:
        raise AssertionError(str(error)) from None
    if metric.stage == "network":
        compute = metric.compute or COMPUTED.get(name)
        require(compute is not None, f"metric {name}: nothing computes it; give it a function as `compute`")
        assert compute is not None
        task = task or examples.task()
        _check_function(name, compute, network or examples.network_for(task.spec), task)


def _check_function(name: str, compute: Compute, network: nn.Module, task: Task) -> None:
    """Finite, the same each time, whatever torch's random state; network and process are left as they were."""
    compute = check_travels(compute, f"metric {name}")
    data, training, what = to_device(task, "cpu"), TrainingConfig(batch_size=32), f"metric {name}"
    values = []
    for seed in (1, 2):
        own = copy.deepcopy(network)
        own.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            with attempt(what), process_unchanged(what), network_unchanged(own, what):
                value = compute(own, task, data, training)
        number = isinstance(value, float | int) and not isinstance(value, bool)
        require(number, f"{what} is {value!r}, not a float")
        require(math.isfinite(value), f"{what} is {value}, and must be finite")
        values.append(value)
    require(values[0] == values[1], f"{what} is another number each time: {values[0]:g}, then {values[1]:g}; seed it")
