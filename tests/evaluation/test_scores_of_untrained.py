"""Zero-cost scores against sums by hand, and the order in which they put cells."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.untrained.costs import COMPUTED
from evonas.objectives.metrics import SCORES
from evonas.spaces.cell import Cell
from evonas.tasks import Split, Splits, Task, regression
from evonas.testing import check_metric
from tests.evaluation.small import bars_task

BARS = bars_task()
TRAINING = TrainingConfig(batch_size=16)


def score(name: str, network: nn.Module, task: Task = BARS, data: DeviceData | None = None) -> float:
    return COMPUTED[name](network, task, data or to_device(task, "cpu"), TRAINING)


def linear_task(x: list[list[float]], y: list[float]) -> Task:
    split = Split(np.array(x, dtype=np.float32), np.array(y, dtype=np.float32))
    task = regression("values", Splits(split, split, split))
    return replace(task, prepare=nn.Identity(), loss=lambda output, y, smoothing: (output - y).square().mean())


def linear(*weights: list[list[float]]) -> nn.Module:
    layers = [nn.Linear(len(w[0]), len(w), bias=False) for w in weights]
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.data = torch.tensor(weight)
    return nn.Sequential(*layers)


def test_synflow_of_two_linear_layers_by_hand() -> None:
    """R = 1' |B| |A| 1, and each layer's sum of weight x gradient is R: (1 + 2, 3 + 4) weighted by (5, 6) is 57."""
    network = linear([[1.0, -2.0], [3.0, 4.0]], [[-5.0, 6.0]])
    found = score("synflow", network, linear_task([[7.0, 7.0]], [0.0]))
    assert found == pytest.approx(math.log1p(2 * 57), rel=1e-5)


def test_snip_and_the_norm_of_gradients_of_a_linear_layer_by_hand() -> None:
    """Loss (w x - y)^2 = (1 * 2 + 2 * 1 - 1)^2: its gradient is 2 * 3 * x = (12, 6)."""
    network, task = linear([[1.0, 2.0]]), linear_task([[2.0, 1.0]], [1.0])
    assert score("snip", network, task) == pytest.approx(12 * 1 + 6 * 2)
    assert score("grad_norm", network, task) == pytest.approx(math.hypot(12, 6), rel=1e-5)


def test_naswot_of_two_examples_by_hand() -> None:
    """Three units: of two examples all three agree with themselves and one with each other: det = 3 * 3 - 1 * 1."""
    network = nn.Sequential(*linear([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), nn.ReLU(), nn.Linear(3, 1))
    found = score("naswot", network, linear_task([[1.0, 1.0], [-1.0, 1.0]], [0.0, 1.0]))
    assert found == pytest.approx(math.log(8), rel=1e-5)
    with pytest.raises(MetricError, match="none of the activations"):
        score("naswot", linear([[1.0, 1.0]]), linear_task([[1.0, 1.0]], [0.0]))


def test_zico_of_a_linear_layer_by_hand() -> None:
    """Gradients 2 (w x - y) x of the halves: 2 and 6 of the one weight, whose mean is 4 and deviation 2."""
    found = score("zico", linear([[2.0]]), linear_task([[1.0], [1.0]], [1.0, -1.0]))
    assert found == pytest.approx(math.log(4 / 2), rel=1e-5)


@pytest.fixture(scope="module")
def cells() -> dict[str, nn.Module]:
    space = Cell(channels=4)
    torch.manual_seed(0)
    operations = {"none": 0, "skip": 1, "conv3x3": 3}
    return {name: space.build(space.decode((op,) * 6), BARS.spec) for name, op in operations.items()}


@pytest.mark.parametrize("name", SCORES)
def test_each_score_keeps_the_contract_of_a_metric(name: str, cells: dict[str, nn.Module]) -> None:
    check_metric(name, cells["conv3x3"], BARS)


@pytest.mark.parametrize("name", ["grad_norm", "snip", "synflow", "naswot", "zico", "az_expressivity"])
def test_disconnected_cells_are_below_those_of_skips_and_these_below_convolutions(
    name: str, cells: dict[str, nn.Module]
) -> None:
    none, skip, conv = (score(name, cells[op]) for op in ("none", "skip", "conv3x3"))
    assert none < skip < conv


def test_a_cell_that_hands_its_input_on_is_the_worst_to_train(cells: dict[str, nn.Module]) -> None:
    assert score("az_trainability", cells["none"]) < score("az_trainability", cells["conv3x3"]) <= 0


def test_disconnected_cells_have_no_flow(cells: dict[str, nn.Module]) -> None:
    assert score("synflow", cells["none"]) == 0
