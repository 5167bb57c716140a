"""Muon, warm-up, stochastic depth, mixing, random operations, exponential means, batches in parts: known answers."""

import copy
import itertools
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Generator, Tensor, nn

from evonas.config import AugmentConfig, TrainingConfig
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training import augment
from evonas.evaluation.training.averaging import WeightAverage
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.mixing import mixed
from evonas.evaluation.training.optimizers import Optimizer
from evonas.evaluation.training.random_ops import OPS, random_ops
from evonas.evaluation.training.schedules import cosine, one_cycle
from evonas.evaluation.training.stochastic_depth import StochasticDepth
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.run_identity.comparing import different_key, resolved
from evonas.seeding import seed_for
from evonas.spaces.blocks import Residual
from tests.evaluation.small import bars_task, conv_net
from tests.evaluation.small import config as search_config

TASK = bars_task()
DATA = to_device(TASK, "cpu")
EVERYTHING: dict[str, Any] = {
    "optimizer": "muon",
    "learning_rate": 0.02,
    "warm_up": 1,
    "ema": 0.9,
    "accumulate": 3,
    "stochastic_depth": 0.3,
    "augment": {"random_ops": 2, "mixup": 0.2, "cutmix": 1.0},
}


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": 3, "batch_size": 16, **changes})


def seed(number: int = 0) -> Generator:
    return Generator().manual_seed(number)


def fresh() -> nn.Module:
    with seeded(1):
        return nn.Sequential(Residual(nn.Conv2d(1, 1, 3, padding=1)), conv_net(4, TASK.spec))


def test_muon_is_that_of_torch_and_adamw_has_the_rest() -> None:
    """Also by the step that a graph may hold."""
    with seeded(2):
        first = nn.Sequential(nn.Embedding(5, 6), nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3))
    nets = [first, copy.deepcopy(first), copy.deepcopy(first)]
    rate, decay = 0.01, 0.1
    training = config(optimizer="muon", learning_rate=rate, weight_decay=decay)
    ours, fused = Optimizer(nets[0], training), Optimizer(nets[1], training, fused=True)
    fused.rate = rate
    hidden = [nets[2][1].weight, nets[2][2].weight]
    muon = torch.optim.Muon(hidden, lr=rate, weight_decay=decay, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    rest = [nets[2][0].weight, nets[2][3].weight]
    biases = [layer.bias for layer in list(nets[2])[1:]]
    groups = [{"params": rest, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
    for step in range(3):
        for net in nets:
            net.zero_grad()
            with seeded(step):
                net(torch.randint(5, (7,))).square().sum().backward()
        if not step:
            adamw = torch.optim.AdamW(groups, lr=rate)
        for optimizer in (ours, fused, muon, adamw):
            optimizer.step()
    for a, b, c in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.allclose(a, c, atol=1e-6)
        assert torch.allclose(b, c, atol=1e-5)


def test_muon_takes_kernels_as_matrices_but_not_those_of_single_channels() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Linear(4, 2))
    muon = [group for group in Optimizer(net, config(optimizer="muon")).groups if group.muon]
    assert [[p.shape for p in group.parameters] for group in muon] == [[net[0].weight.shape]]


def test_warm_up_is_a_share_or_epochs() -> None:
    # a rise to the peak at a quarter, then half a cosine: a half halfway between
    assert [one_cycle(p, 0.25) for p in (0.0, 0.25, 0.625)] == pytest.approx([0.04, 1.0, 0.5])
    assert [cosine(p, 0.25) for p in (0.0, 0.25, 0.625)] == pytest.approx([0.04, 1.0, 0.5])
    assert one_cycle(0.0, 0.0) == cosine(0.0) == 1.0
    assert [config(epochs=8, warm_up=share).rises_for for share in (0.25, 2, None)] == [0.25, 0.25, None]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"warm_up": 3}, "3 epochs of 3"),
        ({"average": 0.1, "ema": 0.9}, "keep one of them"),
        ({"accumulate": 33, "batch_size": 32}, "give 32 or less, e.g. training.accumulate=16"),
    ],
)
def test_what_contradicts_itself_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        config(**wrong)


def test_an_exponential_mean_by_hand() -> None:
    network = nn.Linear(1, 1, bias=False)
    average, wanted = WeightAverage(network, 0, decay=0.6), 0.0
    for step, value in enumerate((3.0, -1.0, 2.0, 8.0, 5.0), 1):
        network.weight.data.fill_(value)
        average.update()
        weight = max(0.4, 10 / (9 + step))
        wanted = weight * value + (1 - weight) * wanted
    average.apply()
    assert float(network.weight.detach()) == pytest.approx(wanted)


def test_a_batch_in_parts_gives_the_gradients_of_the_whole() -> None:
    gradients, losses = [], []
    for parts in (1, 3):
        with seeded(1):
            network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        trainer = Trainer(network, DATA, TASK, config(accumulate=parts, grad_clip=0, learning_rate=1e-9), 0)
        losses.append(float(trainer.step(*DATA.sample(16), seed())))
        gradients.append([p.grad for p in network.parameters()])
    assert losses[0] == pytest.approx(losses[1])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))


def test_the_last_branch_is_left_out_most_often_and_only_in_training() -> None:
    network = nn.Sequential(*(Residual(nn.Identity()) for _ in range(4)))
    depth = StochasticDepth(network, 0.4)
    assert depth.rates == pytest.approx([0.1, 0.2, 0.3, 0.4])
    x = torch.ones(4000, 1)
    with seeded(0), depth.applied():
        seen = network[3](x)
        assert torch.equal(network.eval()[3](x), 2 * x)
    assert sorted(seen.unique().tolist()) == pytest.approx([1.0, 1 + 1 / 0.6])
    assert float(seen.mean()) == pytest.approx(2, abs=0.05)
    assert torch.equal(network.train()[3](x), 2 * x), "behind a training the network is as it was"


def test_a_network_without_branches_says_so() -> None:
    trainer = Trainer(conv_net(4, TASK.spec), DATA, TASK, config(stochastic_depth=0.2), 0)
    assert trainer.depth_note == "off: the network has no residual branches"
    assert Trainer(fresh(), DATA, TASK, config(stochastic_depth=0.2), 0).depth_note == ""


def test_mixup_is_the_weighted_mean_and_cutmix_a_rectangle_of_its_share() -> None:
    x = torch.zeros(2, 1, 8, 12)
    x[1] = 1
    blended, own = mixed(x, AugmentConfig(mixup=1.0), seed())
    assert torch.allclose(blended[0], (1 - own).expand(1, 8, 12))
    for number in range(20):
        cut, own = mixed(x, AugmentConfig(cutmix=1.0), seed(number))
        assert set(cut.unique().tolist()) <= {0.0, 1.0}
        assert float(cut[0].mean()) == pytest.approx(1 - float(own), abs=1e-6)
        rows, columns = cut[0, 0].amax(1), cut[0, 0].amax(0)
        assert float(rows.sum() * columns.sum()) == float(cut[0].sum()), "a rectangle"


def test_the_loss_of_a_mixed_batch_is_of_both_classes() -> None:
    """Identical images mix to themselves: what is left is the loss of both labels."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    trainer = Trainer(network, DATA, TASK, config(augment={"mixup": 1.0}), 0)
    x, y = DATA.sample(16)[0][:1].repeat(4, 1, 1, 1), torch.tensor([0, 0, 1, 0])
    output = network(DATA.prepare(x))
    _, own = mixed(DATA.prepare(x), AugmentConfig(mixup=1.0), seed())
    first, other = TASK.loss(output, y, 0.0), TASK.loss(output, y.flip(0), 0.0)
    assert float(trainer.step(x, y, seed())) == pytest.approx(
        float((own * first + (1 - own) * other).detach()), rel=1e-5
    )


class Drawn(list[int]):
    """Which operation each image gets."""


@pytest.mark.parametrize("op", OPS)
def test_each_random_operation_does_what_it_says(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([OPS.index(op), 1])
    monkeypatch.setattr(torch, "randint", lambda high, shape, **_: torch.full(shape, next(draws)))
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 1, 2], x[0, 0, 5, 5] = 4.0, 1.1
    y = random_ops(x, 1, 1.0 if op != "shift down" else 1 / 3.6, seed())
    wanted: dict[str, Tensor] = {
        "none": x,
        "brightness": x + 1,
        "contrast": x.mean() + (x - x.mean()) * 1.9,
        "posterise": torch.where(x == 1.1, 4 / 3, x),  # 0, 4/3, 8/3, 4
        "shift down": F_shifted(x),  # a quarter of half a side: one pixel up, for what is sampled lies lower
    }
    if op in wanted:
        assert torch.allclose(y, wanted[op], atol=1e-5)
    else:
        assert not torch.equal(y, x)
        assert y.shape == x.shape


def F_shifted(x: Tensor) -> Tensor:  # noqa: N802
    return torch.cat([x[:, :, 1:], torch.zeros_like(x[:, :, :1])], 2)


def test_everything_together_learns_and_goes_on_where_it_was() -> None:
    training, whole = config(**EVERYTHING, epochs=4), fresh()
    curve = list(Trainer(whole, DATA, TASK, training, 5).epochs())
    first = Trainer(fresh(), DATA, TASK, training, 5)
    begun = list(itertools.islice(first.epochs(), 2))
    again = fresh()
    second = Trainer(again, DATA, TASK, training, 5)
    second.load(first.state())
    assert [*begun, *second.epochs()] == curve
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), whole.parameters(), strict=True))
    assert curve[-1].valid_loss < curve[0].valid_loss


def test_a_task_without_classes_is_not_mixed() -> None:
    masks = copy.copy(TASK)
    object.__setattr__(masks, "augmentations", {"flip": "unchanged"})
    with pytest.raises(UserError, match=r"^training.augment.mixup mixes the classes of two examples"):
        augment.check(AugmentConfig(mixup=0.2), masks)
    augment.check(AugmentConfig(mixup=0.2, cutmix=1.0, random_ops=1), TASK)


def test_run_folders_from_before_the_options_go_on() -> None:
    """An older run.json has none of their keys; its search has the fingerprint it had."""
    own = search_config()
    recorded = own.model_dump(mode="json", exclude={"training": own.training.unused})
    assert "ema" not in recorded["training"]
    assert "mixup" not in own.trajectory()["training"]["augment"]
    assert not different_key(resolved(recorded), resolved(own.model_dump(mode="json")))
    other = search_config({"augment": {"mixup": 0.1}})
    assert other.fingerprint != own.fingerprint
    assert "mixup is 0.0 there, 0.1 here" in different_key(resolved(recorded), resolved(other.model_dump(mode="json")))
    assert load_config(own.model_dump(mode="json")).fingerprint == own.fingerprint


def test_a_default_training_is_the_plain_loop_to_the_bit() -> None:
    """Options that are off leave no trace: what is recorded comes out again."""
    ours, theirs, training = conv_net(4, TASK.spec), conv_net(4, TASK.spec), config(epochs=1)
    theirs.load_state_dict(ours.state_dict())
    ours, theirs = (net.to(memory_format=torch.channels_last) for net in (ours, theirs))  # type: ignore[call-overload]
    list(Trainer(ours, DATA, TASK, training, 3).epochs())
    optimizer, generator = Optimizer(theirs, training), seed(seed_for(3, "epoch", 0))
    batches = list(DATA.train.shuffled(16, generator))
    with cpu_threads(1):
        for i, (x, y) in enumerate(batches):
            optimizer.rate = 0.1 * one_cycle(i / len(batches))
            optimizer.zero_grad()
            TASK.loss(theirs(DATA.prepare(x).contiguous(memory_format=torch.channels_last)), y, 0.0).backward()
            nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
