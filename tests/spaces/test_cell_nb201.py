"""Cells against the published NAS-Bench-201 (Dong & Yang 2020), and against small answers worked out by hand."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from evonas.records import InputSpec, TaskSpec
from evonas.spaces import Cell
from evonas.spaces.cell_network import CellModule
from evonas.spaces.dag import edges, exact_form, pruned, published_form, stacks_alike

TABLE = Path(__file__).parents[2].parent / "shared/data/nb201_cifar10.parquet"
SHORT = {"0": "none", "s": "skip", "1": "conv1x1", "3": "conv3x3", "a": "avgpool3x3"}


def ops(text: str) -> tuple[str, ...]:
    """Edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3: 0 none, s skip, 1 and 3 convolutions, a average pooling."""
    return tuple(SHORT[letter] for letter in text.replace(" ", ""))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    if not TABLE.exists():
        pytest.skip(f"the NAS-Bench-201 table is not at {TABLE}")
    columns = [f"e{i}" for i in range(6)]
    frame = pd.read_parquet(TABLE, columns=[*columns, "isomorphism_class", "params", "macs"])
    return frame.assign(genome=list(map(tuple, frame[columns].to_numpy().tolist())))


def test_the_order_of_edges_is_that_of_the_benchmark():
    assert edges(4) == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert [gene.name for gene in Cell().genes][:3] == ["cell.edge_0_1", "cell.edge_0_2", "cell.edge_1_2"]
    assert Cell().size() == 15_625


def test_classes_are_exactly_the_published_ones(table):
    space = Cell()
    identity = table.genome.map(space.identity)
    assert identity.nunique() == table.isomorphism_class.nunique() == 6_466
    assert table.isomorphism_class.groupby(identity).nunique().max() == 1
    assert identity.groupby(table.isomorphism_class).nunique().max() == 1


def test_exact_classes_have_one_number_of_convolutions_and_the_published_ones_do_not(table):
    alive = table.genome.map(lambda genome: pruned(tuple(Cell()._ops[i] for i in genome), 4))
    weights = alive.map(lambda live: (live.count("conv1x1"), live.count("conv3x3")))
    exact = table.genome.map(Cell(isomorphism="exact").identity)
    assert exact.nunique() == 5_260
    assert weights.groupby(exact).nunique().max() == 1
    assert (weights.groupby(table.isomorphism_class).nunique() > 1).sum() == 430


def test_parameters_and_macs_are_the_published_ones(table):
    space, task, compared = Cell(channels=16, cells=5), TaskSpec("cifar10", InputSpec((3, 32, 32)), (10,)), 0
    for row in table.sample(60, random_state=0).itertuples():
        wiring = tuple(space._ops[i] for i in row.genome)
        if compared == 12 or pruned(wiring, 4) != wiring:
            continue  # the benchmark counts the parameters of dead edges too
        network = space.build(space.decode(row.genome), task).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 32, 32))
        assert sum(parameter.numel() for parameter in network.parameters()) == row.params
        assert counter.get_total_flops() // 2 == row.macs - 10  # it counts the bias of the classifier
        compared += 1
    assert compared == 12


def test_identity_is_fast(table):
    """Without the memory of earlier forms; the bound is 100 microseconds, here with room for a busy machine."""
    for space, form in ((Cell(), published_form), (Cell(isomorphism="exact"), exact_form)):
        form.cache_clear()
        started = time.process_time()
        for genome in table.genome[:2_000]:
            space.identity(genome)
        assert (time.process_time() - started) / 2_000 < 300e-6


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("000 000", "000 000"),
        ("333 000", "000 000"),  # nothing reaches the output
        ("000 033", "000 000"),  # nothing leaves the input
        ("300 100", "000 100"),  # node 1 feeds nobody
        ("033 a01", "030 a01"),  # node 1 has no input
        ("s03 00a", "s03 00a"),  # a chain, all of it alive
    ],
)
def test_dead_edges_are_pruned_and_cost_nothing(before, after):
    assert pruned(ops(before), 4) == ops(after)
    assert exact_form(ops(before), 4) == exact_form(ops(after), 4)
    counts = []
    for wiring in (before, after):
        space = Cell()
        genome = tuple(space._ops.index(op) for op in ops(wiring))
        network = space.build(space.decode(genome), TaskSpec("digits", InputSpec((1, 8, 8)), (10,)))
        counts.append(sum(parameter.numel() for parameter in network.parameters()))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("one", "other", "equal", "published"),
    [
        ("300 0s0", "000 300", True, True),  # a convolution and a skip; a convolution
        ("30s 0s0", "300 0s0", True, True),  # a dead skip
        ("300 00s", "000 300", False, False),  # zero; a convolution
        ("310 0s1", "310 01s", False, False),  # x3 + x11; x31 + x1
        ("300 010", "030 001", True, False),  # x31 by way of node 1, by way of node 2; zeros at other places
        ("1s0 3a0", "s10 30a", True, False),  # nodes 1 and 2 change places, each with a dead edge
        ("333 000", "000 00a", True, False),  # zero; zero, by pooling a sum of two zeros
        ("30s 0ss", "300 3ss", False, True),  # one convolution, twice; two convolutions
        ("a0s 0ss", "a00 ass", True, True),  # the same pooling twice
        ("a0s 033", "a00 033", False, False),  # two convolutions of the pooling; one
    ],
)
def test_isomorphism_by_hand(one, other, equal, published):
    assert (exact_form(ops(one), 4) == exact_form(ops(other), 4)) is equal
    assert (published_form(ops(one), 4) == published_form(ops(other), 4)) is published


def test_the_published_form_reads_as_a_sum():
    assert published_form(ops("000 000"), 4) == "#+#+#"
    assert published_form(ops("300 01s"), 4) == "#+#+#+((0)@conv3x3)@conv1x1"
    assert published_form(ops("3s0 s00"), 4) == "#+#+0"


@pytest.mark.parametrize("nodes", [3, 5, 6])
def test_renaming_inner_nodes_leaves_the_exact_form(nodes):
    """Every pair of inner nodes without an edge between them may change places."""
    rng = np.random.default_rng(nodes)
    names, wires = list(SHORT.values()), edges(nodes)
    for _ in range(50):
        wiring = dict(zip(wires, rng.choice(names, len(wires)).tolist(), strict=True))
        node = int(rng.integers(1, nodes - 1))
        if node + 1 == nodes - 1:
            continue
        wiring[node, node + 1] = "none"
        swap = {node: node + 1, node + 1: node}
        moved = {(swap.get(a, a), swap.get(b, b)): op for (a, b), op in wiring.items()}
        moved[node, node + 1] = "none"
        assert exact_form(tuple(wiring[e] for e in wires), nodes) == exact_form(tuple(moved[e] for e in wires), nodes)


def test_stacking_identities_or_zeros_changes_nothing():
    assert [stacks_alike(ops(text), 4) for text in ("000 000", "000 s00", "s00 0s0", "333 000")] == [True] * 4
    assert [stacks_alike(ops(text), 4) for text in ("000 300", "s00 ss0", "000 a00")] == [False] * 3
    space = Cell(cells=[1, 2])
    skips = [(0, 0, 0, 1, 0, 0, *cells) for cells in ((0, 0, 0), (1, 0, 1))]
    assert len({space.identity(genome) for genome in skips}) == 1
    assert len({space.identity((0, 0, 0, 3, 0, 0, *genome[6:])) for genome in skips}) == 2


def test_a_disconnected_cell_gives_a_constant_network():
    space = Cell()
    network = space.build(space.decode((3, 3, 3, 0, 0, 0)), TaskSpec("digits", InputSpec((1, 8, 8)), (10,))).eval()
    with torch.inference_mode():
        output = network(torch.randn(5, 1, 8, 8))
    assert torch.equal(output, output[:1].expand(5, -1))


def test_a_cell_computes_the_sum_of_its_edges():
    """x -> avgpool(x) + 2 x: edges 0-1 and 1-3 skip, 0-2 skip and 2-3 pooling, 0-3 skip."""
    module = CellModule(ops("ss0 ssa"), 4, channels=1)
    x = torch.randn(2, 1, 4, 4)
    assert torch.allclose(module(x), nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False) + 2 * x)
