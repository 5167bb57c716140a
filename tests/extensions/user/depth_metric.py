"""A metric of one's own that is computed of a network before it is trained: an objective, a limit, or recorded."""

from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.objectives.metrics import METRICS, Metric
from evonas.tasks import Task


def depth(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """How many layers have a matrix of weights."""
    return float(sum(parameter.ndim > 1 for parameter in network.parameters()))


METRICS["depth"] = Metric("layers", compute=depth)
