import copy
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.inputs import example
from evonas.latency_tables.blocks import OVERHEAD, MissingBlock, blocks, estimate
from evonas.latency_tables.output_cache import OutputCache
from evonas.latency_tables.tracing import Tracer
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import Arch, Cell, Choice, Integer, Mobile, Repeat, Space
from evonas.spaces.blocks import Head, Residual, SqueezeExcite, conv_bn

ROOT = Path(__file__).parents[2]
IMAGES = TaskSpec("images", InputSpec((3, 16, 16)), (10,))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Perceptron(Space):
    layers = Repeat(Integer(1, 4), width=Choice(16, 32), activation=Choice("relu", "tanh"))

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        network, width = nn.Sequential(nn.Flatten()), math.prod(task.input_shape)
        for layer in arch.layers:
            network.extend([nn.Linear(width, layer.width), {"relu": nn.ReLU, "tanh": nn.Tanh}[layer.activation]()])
            width = layer.width
        return network.append(nn.Linear(width, task.outputs))


class Free(nn.Module):
    """All that a network may do between its modules."""

    def __init__(self, depth: int = 2) -> None:
        super().__init__()
        self.stem = conv_bn(3, 8, 3, act="relu")
        self.stages = nn.ModuleList(conv_bn(8, 8, 3) for _ in range(depth))
        self.scale = nn.Parameter(torch.ones(8, 1, 1))
        self.mix = nn.Bilinear(8, 8, 4)
        self.linear = nn.Linear(4 * 2, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = F.relu(stage(x) + x * self.scale)
        windows = x.reshape(x.shape[0] * 4, 8, -1).mean(2)
        y = self.mix(windows, input2=torch.tanh(windows))
        return self.linear(y.view(x.shape[0], -1)[:, :8])


SPACES = {"mobile": Mobile(), "cell": Cell(), "cells": Cell(reduction="cell", cells=[1, 2]), "own": Perceptron()}


def sampled(space: Space, count: int = 6) -> list[nn.Module]:
    rng = np.random.default_rng(0)
    return [space.build(space.decode(space.sample(rng)), IMAGES) for _ in range(count)]


def keys(network: nn.Module, shape: tuple[int, ...] | InputSpec = (8, 6, 6), **options: object) -> list[str]:
    inputs = shape if isinstance(shape, InputSpec) else InputSpec(shape)
    return [block.key for block in blocks(network, inputs, **options)]


@pytest.mark.parametrize("name", SPACES)
def test_nothing_is_left_out_and_nothing_counts_twice(name: str) -> None:
    for network in sampled(SPACES[name]):
        found = blocks(network, IMAGES.input)
        assert len(found) > 1
        assert sum(parameters(block.module) for block in found) == parameters(network)
        macs = [multiply_accumulates(block.module, block.input) for block in found]
        assert sum(macs) == multiply_accumulates(network, IMAGES.input)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_block_runs_by_itself_on_its_input(name: str, batch: int) -> None:
    for block in blocks(sampled(SPACES[name], 1)[0], IMAGES.input, batch=batch):
        assert isinstance(block.module.eval()(torch.randn(batch, *block.input.shape)), Tensor)


def test_the_blocks_of_a_residual_network_by_hand() -> None:
    body = nn.Sequential(conv_bn(8, 8, 3, act="relu"), conv_bn(8, 8, 3))
    residual = nn.Sequential(Residual(body), nn.ReLU())
    network = nn.Sequential(conv_bn(3, 8, 3), residual, SqueezeExcite(8, 2), nn.Sequential(residual), Head(8, 10))
    found = blocks(network, InputSpec((3, 6, 6)))
    assert [block.input.shape for block in found] == [(3, 6, 6), *[(8, 6, 6)] * 4]
    assert [block.key.partition("[")[0].partition("(")[0] for block in found] == [
        "Conv2d",
        "Residual",
        "SqueezeExcite",
        "Residual",
        "Head",
    ]
    assert found[1].key == found[3].key
    assert list(found[1].module) == [residual[0], residual[1]]
    assert found[0].key.startswith(
        "Conv2d(3,8,kernel_size=(3,3),stride=(1,1),padding=(1,1),bias=False)+BatchNorm2d @3x6x6"
    )


def test_what_a_network_does_between_its_modules() -> None:
    """Also where an axis holds more than the batch, a module takes two tensors, or a size is a number."""
    network = Free(depth=2)
    found = blocks(network, InputSpec((3, 6, 6)))
    names = [block.key.split("(")[0] for block in found]
    step = ["Conv2d", "mul", "add", "relu"]
    assert names == ["Conv2d", *step, *step, "reshape", "mean", "tanh", "Bilinear", "view", "getitem", "Linear"]
    assert multiply_accumulates(network, InputSpec((3, 6, 6))) == sum(
        multiply_accumulates(block.module, block.input) for block in found
    )
    many = blocks(network, InputSpec((3, 6, 6)), batch=5)
    assert [block.key.split("(")[0] for block in many] == names
    for block in many:
        block.module.eval()(torch.randn(5, *block.input.shape))


def test_cells_are_made_of_few_different_blocks() -> None:
    """A cell is one of 15,625; an edge has one of four operations, at one of three sizes."""
    found = {key for network in sampled(SPACES["cell"], 30) for key in keys(network, (3, 16, 16))}
    fixed = {"Conv2d": 1, "Residual[ReLU+Conv2d": 2, "BatchNorm2d+ReLU": 1, "Head[Linear": 1}
    searched = {"ReLU+Conv2d": 6, "AvgPool2d": 3, "Identity": 3, "add": 3}
    assert Counter(re.split(r"\(| @", key)[0] for key in found) == {**fixed, **searched}


def test_another_depth_needs_no_other_blocks() -> None:
    assert set(keys(Free(1), (3, 6, 6))) == set(keys(Free(4), (3, 6, 6)))


def test_operations_on_constants_alone_are_no_blocks() -> None:
    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.shift = nn.Linear(4, 4), nn.Parameter(torch.zeros(4))

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) + (torch.arange(4) * torch.sigmoid(self.shift)).cumsum(0)

    assert [key.split("(")[0] for key in keys(Shift(), (4,))] == ["Linear", "add"]


def test_a_sequence_of_layers_in_another_one_is_a_block() -> None:
    inner = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1))
    first, second = blocks(nn.Sequential(inner, nn.Tanh(), nn.Conv2d(8, 8, 1)), InputSpec((8, 6, 6)))
    assert next(iter(first.module)) is inner
    assert isinstance(second.module, nn.Conv2d)


def test_layers_join_the_block_before_them() -> None:
    flat = nn.Sequential(
        nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 1), nn.ReLU()
    )
    first, second = blocks(flat, InputSpec((8, 6, 6)))
    assert list(first.module) == list(flat[:4])
    assert list(second.module) == list(flat[4:])
    assert second.input.shape == (8, 3, 3)


class Scale(nn.Module):
    """A hyper-parameter that its repr does not show."""

    def __init__(self, by: object) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x


class Own(nn.Module):
    """Tensors and parts of its own, without hyper-parameters."""

    def __init__(self, width: int = 4, name: str = "before") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.add_module(name, nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x


def layers(**options: object) -> nn.Module:
    return nn.Sequential(nn.Conv2d(8, 8, 3, **options), nn.ReLU())


DIFFERENT: list[tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = [
    (layers, lambda: layers(stride=2)),
    (layers, lambda: layers(groups=8)),
    (layers, lambda: layers(bias=False)),
    (lambda: nn.AvgPool2d(2), lambda: nn.AvgPool2d(2, ceil_mode=True)),
    (lambda: Scale(2), lambda: Scale(3)),
    (Own, lambda: Own(width=5)),
    (Own, lambda: Own(name="after")),
    (lambda: Scale(F.relu), lambda: Scale(F.gelu)),
    (lambda: Residual(nn.ReLU()), lambda: Residual(nn.Identity(), nn.ReLU())),
    (lambda: Residual(nn.Sequential(nn.ReLU(), nn.Tanh())), lambda: Residual(nn.Sequential(nn.Tanh(), nn.ReLU()))),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_equal_keys_exactly_for_equal_computations(
    one: Callable[[], nn.Module], other: Callable[[], nn.Module]
) -> None:
    assert keys(one(), whole=(Residual, Own)) == keys(one(), whole=(Residual, Own))
    assert keys(one(), whole=(Residual, Own)) != keys(other(), whole=(Residual, Own))
    assert keys(one(), (8, 6, 6), whole=(Own,)) != keys(one(), (8, 4, 4), whole=(Own,))


def test_the_order_and_the_weights_of_an_lstm_do_not_tell_it_apart() -> None:
    assert keys(nn.LSTM(6, 4, batch_first=True), (5, 6)) == keys(nn.LSTM(6, 4, batch_first=True), (5, 6))


def test_keys_are_the_same_in_another_process() -> None:
    """In which sets have another order: no fork, which has that of the process that it is of."""
    code = "import gc; gc.disable(); from tests.measuring.test_blocks import *; "
    code += "print(hash('set'), *of_two_networks(), sep='\\n')"
    environment = {**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"}
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    order, *there = done.stdout.splitlines()
    assert order != str(hash("set"))
    assert there == [str(key) for key in of_two_networks()]


def of_two_networks() -> list[str]:
    return [*keys(Free(), (3, 6, 6)), *keys(Scale({"a", "b", "c", "d", F.relu}))]


def test_whole_classes_are_not_opened() -> None:
    network = sampled(SPACES["mobile"], 1)[0]
    assert len(keys(network, IMAGES.input)) > 3
    (only,) = blocks(network, IMAGES.input, whole=(nn.Sequential,))
    assert only.module is network


def test_the_network_is_left_as_it_was() -> None:
    network = Free().train()
    state, attributes = copy.deepcopy(network.state_dict()), [set(vars(module)) for module in network.modules()]
    random = torch.get_rng_state()
    blocks(network, InputSpec((3, 6, 6)))
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert [set(vars(module)) for module in network.modules()] == attributes
    assert all(module.training for module in network.modules())
    assert torch.equal(torch.get_rng_state(), random)


TOKENS = InputSpec((5,), "int64", high=9)
PLACES = 5
KNOWN = [
    "ce9f321eb5f6",
    "55a8ec4662e8",
    "762feaac50f7",
    "bf5fd17d3c66",
    "74b87d1e4aa4",
    "6d481737e4c2",
    "0a1393e45739",
    "c40cfde015ff",
    "71558a30d4f9",
    "81bcfc1a21f7",
    "ab6f99afcb48",
    "e630a9a77171",
]
"""Digests of the blocks of `Free(depth=1)`, as evonas wrote them first."""


class Words(nn.Module):
    """Tokens with what is done to whole numbers: by itself, with constants, and between its modules."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(12, 4), nn.Embedding(PLACES, 4)
        self.mixer, self.parts = nn.GRU(4, 4, batch_first=True), nn.ModuleList([nn.Linear(4, 9)])

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(PLACES, device=x.device).flip(0)
        h = self.token(x + 1) + self.place(places)
        h = h.masked_fill((x == 0)[..., None], 0.0)
        return self.parts[0](self.mixer(h)[0])


def test_whole_numbers_of_the_examples_are_blocks_and_those_of_nothing_are_not() -> None:
    found = blocks(Words(), TOKENS)
    assert [(block.key.rpartition(" #")[0], block.input.high) for block in found] == [
        ("add(1x5, 1) @5 of int64", 9),
        ("Embedding(12,4) @5 of int64", 12),
        ("add(1x5x4, 5x4) @5x4", None),
        ("eq(1x5, 0) @5 of int64", 9),
        ("masked_fill(1x5x4, 1x5x1, 0.0) @5x4", None),
        ("GRU(4,4,batch_first=True) @5x4", None),
        ("Linear(in_features=4,out_features=9,bias=True) @5x4", None),
    ]


@pytest.mark.parametrize("batch", [1, 3, PLACES])
def test_blocks_of_tokens_run_by_themselves(batch: int) -> None:
    """Also where there are as many examples as places."""
    found = blocks(Words(), TOKENS, batch=batch)
    assert len(found) == 7
    for block in found:
        x = example(block.input, batch)
        assert isinstance(x, np.ndarray)
        assert isinstance(block.module.eval()(torch.from_numpy(x)), Tensor)


def test_a_function_that_looks_up_is_a_block() -> None:
    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Parameter(torch.zeros(9, 4)), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.embedding(x[:, 1:], self.table).sum(1))

    found = blocks(Lookup(), TOKENS, batch=2)
    assert [block.key.partition("(")[0] for block in found] == ["getitem", "embedding", "sum", "Linear"]
    assert found[1].input == InputSpec((4,), "int64", high=9)


def test_whole_numbers_that_a_network_makes_of_floats_are_no_blocks() -> None:
    """Nothing is known of their values, but a module that takes them is a block, measured with zeros."""

    class Route(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router, self.expert = nn.Linear(4, 3), nn.Embedding(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.expert((self.router(x).argmax(1) + 1) % 3)

    found = blocks(Route(), InputSpec((4,)), batch=2)
    assert [block.key.partition("(")[0] for block in found] == ["Linear", "argmax", "Embedding", "add"]


def test_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.image = nn.Embedding(9, 4), nn.Linear(6, 4)
            self.both = nn.Bilinear(4, 4, 2)

        def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
            return self.both(input1=self.image(image), input2=self.token(tokens).mean(1))

    network, inputs = Two(), {"tokens": TOKENS, "image": InputSpec((6,))}
    found = blocks(network, inputs)
    assert [(block.key.partition("(")[0], block.input.shape) for block in found] == [
        ("Linear", (6,)),
        ("Embedding", (5,)),
        ("mean", (5, 4)),
        ("Bilinear", (4,)),
    ]
    assert estimate(network, inputs, {block.key: 1.0 for block in found}) == 4


def test_what_modules_give_is_remembered_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = OutputCache(2)
    monkeypatch.setattr(Tracer, "outputs", cache)
    runs: list[str] = []

    def give(name: str) -> Tensor:
        def forward(x: Tensor) -> Tensor:
            runs.append(name)
            return x.new_empty(3, 2)

        return cache.output(name, forward, torch.empty(1, device="meta"))

    assert [give(name).shape for name in "aabacb"] == [(3, 2)] * 6
    assert runs == ["a", "b", "c", "b"]  # a was used after b, so that c took the place of b
    keys(Free(), (3, 6, 6))
    assert len(cache) == 2


def test_keys_are_those_of_the_tables_that_users_have() -> None:
    found = keys(Free(depth=1), (3, 6, 6))
    assert [key.rpartition("#")[2] for key in found] == KNOWN


def test_a_network_that_looks_at_values() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2)])
            self.register_buffer("passes", torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.passes += 1
            return self.parts[0](x) if float(x.sum()) > 0 else self.parts[1](x)

    network = Gated()
    assert [key.split(" @")[0] for key in keys(network, (4,))] == [
        "sum(1x4)",
        "Linear(in_features=4,out_features=4,bias=True)",
    ]
    assert network.passes == 0


def test_what_a_network_raises_comes_out() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        blocks(conv_bn(3, 8, 3), InputSpec((4, 6, 6)))


def test_an_estimate_is_the_sum_of_the_entries() -> None:
    network = Free(depth=3)
    found = keys(network, (3, 6, 6))
    table = {key: 2.0**n for n, key in enumerate(dict.fromkeys(found))}
    step = 2 + 4 + 8 + 16  # the same convolution, product, sum and activation three times
    assert estimate(network, InputSpec((3, 6, 6)), table) == 1 + 3 * step + 32 + 64 + 128 + 256 + 512 + 1024 + 2048
    assert (
        estimate(network, InputSpec((3, 6, 6)), {**table, OVERHEAD: 0.5})
        == estimate(network, InputSpec((3, 6, 6)), table) + 0.5
    )


def test_a_missing_block_is_named() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    first, second = keys(network, (4,))
    with pytest.raises(MissingBlock) as error:
        estimate(network, InputSpec((4,)), {first: 1.0})
    assert second in str(error.value)
    assert first not in str(error.value)
    assert "make it anew" in str(error.value)
