"""Options of training for few epochs of large batches: each does what it says."""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.config import TrainingConfig
from evonas.config.loading import load_config
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.batches.streaming import Streaming
from evonas.evaluation.training.averaging import WeightAverage
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.mixed_precision import INITIAL, LossScale
from evonas.evaluation.training.optimizers import Optimizer
from evonas.measuring.torch_state import seeded
from evonas.tasks import Split, Splits, Task, regression
from tests.evaluation.small import bars_task, conv_net

TASK = bars_task()
DATA = to_device(TASK, "cpu")
DIGITS = Path(__file__).parents[2] / "configs" / "digits.yaml"


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": 2, "batch_size": 16, **changes})


def fresh() -> nn.Module:
    with seeded(1):
        return conv_net(4, TASK.spec)


def numbered(streamed: bool) -> tuple[Task, DeviceData]:
    """Images (1, 1, 2) of a number on the left: which, and on which side, tells all of them."""
    x = np.zeros((12, 1, 1, 2), np.float32)
    x[:, 0, 0, 0] = np.arange(1, 13)
    split = Split(x, np.arange(12, dtype=np.float32)[:, None])
    task = replace(regression("numbers", Splits(split, split, split)), prepare=nn.Identity())
    data = to_device(task, "cpu")
    if streamed:
        data = DeviceData(data.device, Streaming(split, data.device), data.valid, data.prepare)
    return task, data


@pytest.mark.parametrize("streamed", [False, True])
def test_alternating_flips_show_both_sides_of_each_image_in_two_epochs(streamed: bool) -> None:
    task, data = numbered(streamed)
    seen: list[list[Tensor]] = []
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    network.register_forward_pre_hook(lambda module, x: seen.append([x[0]]) if module.training else None)
    training = config(epochs=4, batch_size=4, learning_rate=1e-6, augment={"flip": "alternating"})
    list(Trainer(network, data, task, training, 0).epochs())
    epochs = [torch.cat([x for (x,) in seen[i : i + 3]]).flatten(1) for i in range(0, 12, 3)]
    left = [{int(x[0]) for x in epoch if x[0]} for epoch in epochs]
    right = [{int(x[1]) for x in epoch if x[1]} for epoch in epochs]
    assert all(one | other == set(range(1, 13)) for one, other in zip(left, right, strict=True))
    assert left[0] == right[1] == left[2] == right[3]
    assert 0 < len(left[0]) < 12
    assert not torch.equal(epochs[0].abs().sum(1), epochs[2].abs().sum(1)), "each epoch has an order of its own"


def test_biases_of_batchnorm_learn_at_a_rate_of_their_own() -> None:
    one, other = fresh(), fresh()
    biases = {f"{name}.bias" for name, m in one.named_modules() if isinstance(m, nn.BatchNorm2d)}
    optimizers = [Optimizer(one, config()), Optimizer(other, config(batchnorm_bias_rate=64.0))]
    before = {name: p.detach().clone() for name, p in one.named_parameters()}
    for network, optimizer in zip((one, other), optimizers, strict=True):
        for p in network.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
    assert biases
    after = dict(other.named_parameters())
    for name, p in one.named_parameters():
        factor = 64 if name in biases else 1
        assert torch.allclose((after[name] - before[name]), factor * (p - before[name]), rtol=1e-4), name


def averaged_by_hand(training: TrainingConfig, last: int) -> tuple[nn.Module, list[float]]:
    """A training whose last steps are averaged from outside, and its training losses."""
    network = fresh()
    plain = training.model_copy(update={"average": 0.0})
    average = WeightAverage(network, 0)
    trainer = Trainer(network, DATA, TASK, plain, 3, stepped=average.update)
    average.begin = trainer.steps * plain.epochs - last
    losses = [epoch.train_loss for epoch in trainer.epochs()]
    average.apply()
    return network, losses


def test_the_mean_of_the_last_steps_is_what_is_validated_and_kept() -> None:
    training = config(average=0.75, epochs=4)
    network = fresh()
    trainer = Trainer(network, DATA, TASK, training, 3)
    epochs: Iterator[Any] = trainer.epochs()
    curve = list(epochs)
    wanted, losses = averaged_by_hand(training, 3 * trainer.steps)
    assert [epoch.train_loss for epoch in curve] == losses, "the weights in training are not the averaged ones"
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), wanted.state_dict().values(), strict=True)
    )
    plain = list(Trainer(fresh(), DATA, TASK, config(epochs=4), 3).epochs())
    assert curve[0] == plain[0]
    assert [a.valid_loss == b.valid_loss for a, b in zip(curve[1:], plain[1:], strict=True)] == [False] * 3


@pytest.mark.parametrize("changes", [{"average": 0.6}, {"precision": "float16"}], ids=str)
def test_training_goes_on_with_the_average_and_the_scale(changes: dict[str, Any]) -> None:
    training, whole = config(epochs=3, **changes), fresh()
    curve = list(Trainer(whole, DATA, TASK, training, 5).epochs())
    first = Trainer(fresh(), DATA, TASK, training, 5)
    begun = list(itertools.islice(first.epochs(), 2))
    again = fresh()
    second = Trainer(again, DATA, TASK, training, 5)
    second.load(first.state())
    assert [*begun, *second.epochs()] == curve
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_step_that_overflows_is_left_out_and_halves_the_scale(optimizer: str) -> None:
    network = fresh()
    update = Optimizer(network, config(optimizer=optimizer), fused=True)
    scale = LossScale(torch.device("cpu"))
    before = copy.deepcopy(network.state_dict())
    for worst, same in ((torch.inf, True), (1.0, False)):
        for p in network.parameters():
            p.grad = torch.full_like(p, INITIAL)
        next(network.parameters()).grad.fill_(worst)  # type: ignore[union-attr]
        scale.unscale([p.grad for p in network.parameters() if p.grad is not None])
        update.step(scale.found_inf)
        scale.update()
        assert float(scale.state_dict()["scale"]) == INITIAL / 2
        assert all(torch.equal(p, before[name]) for name, p in network.named_parameters()) is same
    other = LossScale(torch.device("cpu"))
    other.load_state_dict(scale.state_dict())
    assert [float(t) for t in other.state_dict().values()] == [INITIAL / 2, 1]


def test_float16_learns() -> None:
    training = config(epochs=5, precision="float16")
    *_, last = Trainer(fresh(), DATA, TASK, training, 0).epochs()
    assert last.valid_metric < 0.15


def test_options_at_their_defaults_leave_the_search_the_one_it_was() -> None:
    """Run folders from before they existed go on."""
    searches = [load_config(DIGITS, [f"training.{option}"]) for option in ("average=0.0", "graph=false")]
    own = load_config(DIGITS)
    other = load_config(DIGITS, ["training.average=0.2"])
    assert {search.fingerprint for search in searches} == {own.fingerprint} != {other.fingerprint}
    assert not {"average", "graph", "batchnorm_bias_rate"} & own.trajectory()["training"].keys()
