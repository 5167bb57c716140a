"""Weights that the networks of a space share: which part of them a network has, and how they are trained."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.training.optimizers import Optimizer
from evonas.latency_tables.describe import details
from evonas.records import Genome, InputSpec, TaskSpec
from evonas.spaces import MLP, TCN, Cell, Choice, Conv1D, Integer, Mobile, Repeat, Space, Transformer, TwoTower, UNet
from evonas.spaces.places import placed
from evonas.supernet.audit import interval, judged
from evonas.supernet.bank import Bank, overlap
from evonas.supernet.places import places
from evonas.supernet.sampling import fair, sampling_for, sandwich, uniform
from evonas.supernet.updates import BankUpdates

IMAGES = TaskSpec("images", InputSpec((3, 16, 16)), (10,))
ITEMS = TaskSpec("items", InputSpec((), "int64", 30), (40,))
SERIES = TaskSpec("series", InputSpec((3, 32)), (5,))
MASKS = TaskSpec("masks", InputSpec((3, 16, 16)), (4, 16, 16))
NUMBERS = TaskSpec("numbers", InputSpec((12,)), (3,))
TOKENS = TaskSpec("tokens", InputSpec((16,), "int64", 20), (16, 20))
PERIODIC = {"embeddings": ["none", "lite", "periodic"], "blocks": ["plain", "residual", "gated"]}
SPACES: dict[str, tuple[Callable[[], Space], TaskSpec]] = {
    "cell": (lambda: Cell(cells=(1, 2), channels=(4, 8)), IMAGES),
    "cell, reduction": (lambda: Cell(nodes=3, reduction="cell", channels=(4, 8)), IMAGES),
    "mobile": (lambda: Mobile(depths=(0, 1, 2), blocks=("residual", "inverted", "separable", "fused")), IMAGES),
    "mobile, blocks": (lambda: Mobile(per="block", expansions=(1, 2), resolutions=(8, 16)), IMAGES),
    "mlp": (lambda: MLP(**PERIODIC), NUMBERS),  # type: ignore[arg-type]
    "tcn": (TCN, TOKENS),
    "transformer": (lambda: Transformer(patches=(4, 8), widths=(16, 32)), IMAGES),
    "transformer, tokens": (lambda: Transformer(widths=(16, 32)), TOKENS),
    "conv1d": (Conv1D, SERIES),
    "unet": (lambda: UNet(widths=(4, 8)), MASKS),
    "two_tower": (TwoTower, ITEMS),
}


def network(space: Space, genome: Genome, spec: TaskSpec, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return space.build(space.decode(genome), spec).eval()


def inputs(spec: TaskSpec) -> Tensor:
    assert isinstance(spec.input, InputSpec)
    shape = (2, *spec.input.shape)
    return torch.randint(spec.input.high, shape) if spec.input.high else torch.randn(shape)


def drawn(space: Space, count: int) -> list[Genome]:
    rng = np.random.default_rng(0)
    return [space.sample(rng) for _ in range(count)]


def keys(found: nn.Module) -> set[str]:
    return {place.key for place in places(found)}


@pytest.mark.parametrize("kind", SPACES)
def test_a_network_of_its_own_bank_is_itself_again(kind: str) -> None:
    space, spec = SPACES[kind][0](), SPACES[kind][1]
    for genome in drawn(space, 3):
        first, second = network(space, genome, spec), network(space, genome, spec, seed=1)
        bank = Bank()
        bank.admit(first)
        found = bank.give(second)
        assert (found.share, found.unseen) == (1.0, ())
        x = inputs(spec)
        with torch.no_grad():
            assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("kind", SPACES)
def test_a_place_is_the_same_in_all_networks_of_a_space(kind: str) -> None:
    """What stands in one place has as many axes everywhere, nothing stands twice in one, and no network has a head that
    none of the others has: names that count what is before them would have given it as many."""
    space, spec = SPACES[kind][0](), SPACES[kind][1]
    axes: dict[str, int] = {}
    heads = Counter[str]()
    for genome in drawn(space, 25):
        own = places(network(space, genome, spec))
        assert not any("#" in place.key for place in own)
        for place in own:
            assert axes.setdefault(place.key, place.tensor.ndim) == place.tensor.ndim
        assert kind in ("unet", "two_tower") or "head" in own[-1].key
        heads.update({place.key.split(":")[0].split(".")[0] for place in own if "head" in place.key})
    assert len(heads) <= 4


def test_an_edge_of_a_cell_is_the_same_whatever_the_others_do() -> None:
    space = Cell(nodes=3, ops=("none", "skip", "conv3x3"), stages=1, channels=4)

    def edges(*ops: str) -> set[str]:
        genome = space.encode({"cell": dict(zip(("edge_0_1", "edge_0_2", "edge_1_2"), ops, strict=True))})
        return {key for key in keys(network(space, genome, IMAGES)) if "edge" in key and "Conv2d" in key}

    (alone,) = edges("none", "conv3x3", "none")
    assert alone == "stage_0.cell_0.ops.edge_0_2-conv3x3.1:Conv2d.weight"
    assert alone in edges("conv3x3", "conv3x3", "conv3x3")
    assert alone not in edges("conv3x3", "skip", "conv3x3")


def test_a_block_is_the_same_whatever_is_before_it() -> None:
    space = Mobile(
        stages=2,
        stem=8,
        strides=1,
        widths=(8, 16),
        depths=(1, 2),
        blocks=("inverted",),
        kernels=(3, 5),
        activations=("relu",),
    )

    def built(depth: int, width: int, squeeze: bool) -> set[str]:
        stage = {"width": width, "depth": depth, "squeeze": squeeze}
        stage["block"] = {"kind": "inverted", "kernel": 3, "expansion": 2}  # type: ignore[assignment]
        arch = {
            "stem": {"width": 8, "stride": 1},
            "activation": "relu",
            "stage_0": stage,
            "stage_1": {**stage, "depth": 1},
        }
        return keys(network(space, space.encode(arch), IMAGES))

    shallow, deep = built(1, 8, False), built(2, 8, False)
    assert shallow < deep
    assert built(1, 8, False) == built(1, 16, False), "a block beside an identity is the one that has none"
    assert {key.split(":")[0].split(".")[2] for key in built(1, 8, True) - shallow} == {"squeeze"}


def test_a_part_is_the_beginning_of_channels_and_the_middle_of_a_kernel() -> None:
    large, small = nn.Conv2d(4, 8, 7, bias=False), nn.Conv2d(2, 3, 3, bias=False)
    bank = Bank()
    bank.admit(large)
    assert bank.give(small).unseen == ()
    assert torch.equal(small.weight, large.weight[:3, :2, 2:5, 2:5])
    assert overlap((8, 7), (5, 3), centred=1) == ((slice(0, 5), slice(2, 5)), (slice(0, 5), slice(0, 3)))


def test_a_bank_grows_and_keeps_what_it_has() -> None:
    small, large = nn.Linear(3, 2), nn.Linear(2, 4)
    bank = Bank()
    bank.admit(small)
    bank.admit(large)
    weight = bank.tensors[":Linear.weight"]
    assert weight.shape == (4, 3)
    assert torch.equal(weight[:2, :3], small.weight)
    assert torch.equal(weight[2:, :2], large.weight[2:])
    assert weight.isfinite().all()


def test_what_a_bank_has_not_seen_stays_as_it_was_built_and_is_counted() -> None:
    bank = Bank()
    bank.admit(nn.Sequential(nn.Linear(4, 2)))
    other = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    before = [p.detach().clone() for p in other.parameters()]
    found = bank.give(other)
    assert (found.copied, found.numbers) == (4 * 2 + 2, 4 * 3 + 3 + 3 * 2 + 2)
    assert found.unseen == ("0:Linear.weight", "0:Linear.bias", "2:Linear.weight", "2:Linear.bias")
    assert torch.equal(other[2].weight, before[2])
    assert torch.equal(other[0].weight[2:], before[0][2:])
    assert torch.equal(other[0].weight[:2], bank.tensors["0:Linear.weight"])


def test_grouped_and_dilated_layers_have_places_of_their_own() -> None:
    layers = (nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3, dilation=2), nn.Linear(4, 4))
    assert len(set.union(*(keys(layer) for layer in layers))) == 8
    assert not keys(nn.GRU(4, 3)) & keys(nn.GRU(4, 5)), "three gates are one behind the other"


def test_tied_weights_are_one() -> None:
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert keys(tied) == {"0:Linear.weight", "0:Linear.bias", "1:Linear.bias"}


def test_places_of_ones_own_are_taken_and_twice_the_same_is_told_apart() -> None:
    both = nn.Sequential(placed("here", nn.Linear(2, 2, bias=False)), placed("here", nn.Linear(2, 2, bias=False)))
    assert keys(both) == {"here:Linear.weight", "here:Linear.weight#2"}
    assert set(both.state_dict()) == {"0.weight", "1.weight"}, "files of weights know nothing of places"
    assert details(placed("here", nn.Linear(2, 2))) == details(nn.Linear(2, 2)), "nor do tables of latencies"


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_bank_of_one_network_is_updated_as_the_network_would_be(optimizer: Any) -> None:
    config = TrainingConfig(optimizer=optimizer, learning_rate=0.05, weight_decay=0.1, grad_clip=0.5)
    torch.manual_seed(0)
    alone, shared = (nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)) for _ in range(2))
    shared.load_state_dict(alone.state_dict())
    bank = Bank()
    bank.admit(shared)
    theirs, ours = Optimizer(alone, config), BankUpdates(bank, config)
    theirs.rate = 0.05
    for _ in range(4):
        x, y = torch.randn(8, 4), torch.randn(8, 2)
        bank.give(shared)
        gathering = ours.of(shared)
        for each, updates in ((alone, theirs), (shared, gathering)):
            updates.zero_grad()  # type: ignore[attr-defined]
            (each(x) - y).square().mean().mul(9).backward()
        nn.utils.clip_grad_norm_(alone.parameters(), config.grad_clip)
        theirs.step()
        gathering.step()
        ours.step(0.05)
    bank.give(shared)
    for a, b in zip(alone.parameters(), shared.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_no_network_of_a_step_has_does_not_shrink(optimizer: Any) -> None:
    config = TrainingConfig(optimizer=optimizer, learning_rate=0.1, weight_decay=0.5)
    large, small = nn.Linear(4, 4), nn.Linear(2, 2)
    bank = Bank()
    bank.admit(large)
    updates = BankUpdates(bank, config)
    for network_ in (large, small, small):  # the first leaves momentum everywhere
        before = bank.tensors[":Linear.weight"].clone()
        bank.give(network_)
        own = updates.of(network_)
        own.zero_grad()
        network_(torch.ones(1, network_.in_features)).square().sum().backward()
        own.step()
        updates.step(0.1)
    after = bank.tensors[":Linear.weight"]
    assert torch.equal(after[2:], before[2:])
    assert torch.equal(after[:, 2:], before[:, 2:])
    assert (after[:2, :2] != before[:2, :2]).all()


def test_gradients_of_the_networks_of_a_step_are_added_up() -> None:
    config = TrainingConfig(learning_rate=1.0, momentum=0.0, weight_decay=0.0, grad_clip=0.0)
    bank = Bank({":Linear.weight": torch.zeros(2, 3)})
    updates = BankUpdates(bank, config)
    for width in (3, 2):
        layer = nn.Linear(width, 2, bias=False)
        bank.give(layer)
        layer(torch.ones(1, width)).sum().backward()
        updates.of(layer).step()
    updates.step(1.0)
    assert bank.tensors[":Linear.weight"].tolist() == [[-2.0, -2.0, -1.0]] * 2


class Sizes(Space):
    width = Choice(32, 16, 8)
    layers = Repeat(Integer(1, 3), wide=Choice(False, True))
    op = Choice("a", "b", ordered=False)

    def build(self, arch: Any, task: TaskSpec) -> nn.Module:
        raise NotImplementedError


def steps(sampling: Callable[[Space, int], Any], space: Space, count: int) -> list[list[Genome]]:
    return list(islice(sampling(space, 0), count))


def test_a_sandwich_has_the_largest_and_the_smallest() -> None:
    space = Sizes()
    assert sampling_for(space) == "sandwich"
    found = steps(sandwich, space, 20)
    for largest, smallest, *others in found:
        assert largest[:-1] == (0, 2, 1, 1, 1)
        assert smallest[:-1] == (2, 0, 0, 0, 0)
        assert len(others) == 2
    assert {step[0][-1] for step in found} == {0, 1}, "unordered genes are random there, too"
    assert found == steps(sandwich, space, 20)


def test_fair_steps_have_each_value_once() -> None:
    space = Cell(nodes=3, ops=("none", "skip", "conv1x1", "conv3x3"))
    assert sampling_for(space) == "fair"
    found = steps(fair, space, 10)
    for step in found:
        assert [sorted(values) for values in zip(*step, strict=True)] == [[0, 1, 2, 3]] * 3
    assert len({step[0] for step in found}) > 3
    assert len(steps(uniform, space, 3)[0]) == 1


def test_values_of_genes_with_fewer_are_trained_as_often() -> None:
    found = [genome for step in steps(fair, Mobile(), 12) for genome in step]
    for place, gene in enumerate(Mobile().genes):
        counts = Counter(genome[place] for genome in found)
        assert max(counts.values()) - min(counts.values()) <= 1
        assert len(counts) == gene.size


def test_the_worth_of_ranks() -> None:
    found = judged("error", 1, [0.5, 0.4, 0.3, 0.2, 0.1, 0.0], [0.3, 0.25, 0.2, 0.15, 0.1, 0.05], [6, 5, 4, 3, 2, 1])
    assert (found.tau, found.params_tau, found.networks) == (pytest.approx(1), pytest.approx(-1), 6)
    assert found.bias == pytest.approx(0.075)
    assert "HARDLY" not in str(found)
    assert "ranks no worse" not in str(found)
    assert "ranks no worse" in str(judged("error", 1, [0.2, 0.1, 0.3], [0.1, 0.2, 0.3], [3, 2, 1]))
    weak = judged("accuracy", -1, [0.5, 0.4, 0.3, 0.2, 0.5], [0.3, 0.35, 0.2, 0.15, 0.1], [3, 4, 2, 1, 0])
    assert weak.params_tau == pytest.approx(1)
    assert "HARDLY BETTER THAN CHANCE" in str(judged("error", 1, [1, 2, 3, 4, 5], [2, 1, 2, 1, 2], [1, 2, 3, 4, 5]))


def test_the_interval_of_tau_is_that_of_fieller() -> None:
    """Of 24 networks: z of 0.5 is 0.5493, and 1.96 sqrt(0.437 / 20) is 0.2897."""
    assert interval(0.5, 24) == pytest.approx((np.tanh(0.5493 - 0.2897), np.tanh(0.5493 + 0.2897)), abs=1e-4)
    assert interval(1.0, 4) == (-1, 1)
