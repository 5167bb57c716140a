"""How good a network is with the weights of a bank, which it was never trained with alone.

What BatchNorm has averaged is of other networks, and with it a network is at chance: it is forgotten, and averaged anew
over some training examples. All is computed in float64 and rounded, so that it is the same on every processor.
"""

import copy
import math
import warnings
from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.task_metrics import MetricError, rows
from evonas.evaluation.training.scoring import validation_batch
from evonas.evaluation.untrained.zero_cost import rounded
from evonas.inputs import called, mapped
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.supernet.bank import Bank, Inherited
from evonas.tasks.task import Task

BATCHES = 8
"""Of training examples, over which BatchNorm averages."""


class Inheriting:
    """What an evaluator asks at rung 0: `evonas.evaluation.evaluate.Inherit`.

    Args:
        tensors: of the bank, as numpy arrays, which all workers of a node map.
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._tensors = tensors

    def __call__(
        self, network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig
    ) -> tuple[Mapping[str, float], str]:
        """Metrics of the task with the weights of the bank, and what of the network is not the bank's, in words."""
        metrics, found = inherited(network, Bank(_as_tensors(self._tensors)), task, data, training)
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise MetricError(f"metric {name}: with inherited weights it is {value}, and must be a finite number")
        return metrics, found.lacking


def inherited(
    network: nn.Module, bank: Bank, task: Task, data: DeviceData, training: TrainingConfig, *, reset: bool = True
) -> tuple[dict[str, float], Inherited]:
    """Name -> value of each metric of the task, and how much of the network is the bank's.

    Args:
        network: on `data.device`; it is left as it was, and a copy gets the weights of the bank.
        bank: of its space.
        task: whose metrics they are.
        data: whose validation examples they are of.
        training: batch size and threads.
        reset: whether BatchNorm averages anew, for tests of what it is worth.
    """
    probe = copy.deepcopy(network)
    with cpu_threads(training.threads), seeded(0, data.device):
        found = bank.give(probe)
        probe.double().eval()
        if reset:
            average_anew(probe, data, training)
        return _validated(probe, task, data, training), found


@torch.no_grad()
def average_anew(network: nn.Module, data: DeviceData, training: TrainingConfig) -> None:
    """Let BatchNorm forget what it averaged, and average over training examples.

    Args:
        network: in evaluation mode and float64; only its BatchNorm changes.
        data: whose training examples are seen, without augmentation: those of a shuffle that is always the same.
        training: the size of a batch.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
        norm.train()
    batch = min(training.batch_size, len(data.train))
    generator = Generator(data.device).manual_seed(0)
    for x, _ in islice(data.train.shuffled(batch, generator), BATCHES):
        called(network, mapped(_double, data.prepare(x)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.inference_mode()
def _validated(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> dict[str, float]:
    parts: dict[str, list[Tensor]] = {name: [] for name in task.metrics}
    for output, y in _outputs(network, data, training):
        for name, metric in task.metrics.items():
            parts[name].append(rows(name, metric.statistics(output, y), len(y)))
    return {name: rounded(float(metric.reduce(torch.cat(parts[name])))) for name, metric in task.metrics.items()}


def _outputs(network: nn.Module, data: DeviceData, training: TrainingConfig) -> Iterator[tuple[Tensor, Tensor]]:
    for x, y in data.valid.in_order(validation_batch(data, data.valid, training)):
        yield called(network, mapped(_double, data.prepare(x))).float(), y


def _double(part: Tensor) -> Tensor:
    return part.double() if part.is_floating_point() else part


def _as_tensors(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # they are mapped
        return {key: torch.from_numpy(array) for key, array in arrays.items()}
