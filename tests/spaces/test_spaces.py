"""The contract of a space, on every space of the registry with its defaults and with options."""

import copy
import pickle
from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import nn

from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.spaces.blocks import halving, shrunk
from evonas.spaces.cell import OPS
from evonas.spaces.space import Space
from evonas.testing import check_space

VARIANTS = {
    "cell-exact": {"kind": "cell", "isomorphism": "exact"},
    "cell-sizes": {"kind": "cell", "stages": 3, "channels": [4, 6, 8], "cells": [1, 2], "isomorphism": "exact"},
    "cell-reduction": {"kind": "cell", "nodes": 3, "reduction": "cell", "cells": [1, 2], "isomorphism": "exact"},
    "cell-all-ops": {"kind": "cell", "nodes": 5, "ops": list(OPS), "channels": 4, "isomorphism": "exact"},
    "cell-one-stage": {"kind": "cell", "stages": 1, "nodes": 2, "ops": ["none", "conv3x3"]},
    "mobile-one-stage": {"kind": "mobile", "stages": 1, "widths": [4], "stem": 4, "depths": 1},
    "mobile-per-stage": {"kind": "mobile", "stages": 2, "widths": [[4, 8], [8, 16]], "strides": 4, "expansions": [1]},
    "mobile-absent": {"kind": "mobile", "stages": 2, "widths": [4, 8], "depths": [0, 1]},
    "mobile-pooled": {"kind": "mobile", "stages": 2, "widths": [4], "pools": [False, True], "blocks": ["residual"]},
    "mobile-inverted": {"kind": "mobile", "blocks": ["inverted"], "squeeze": [True], "activations": ["silu"]},
    "mobile-blocks": {
        "kind": "mobile",
        "stages": 2,
        "per": "block",
        "depths": [0, 1, 2],
        "blocks": ["fused", "separable"],
    },
    "tcn-small": {"kind": "tcn", "layers": [1, 2], "widths": 4, "kernels": [2], "dilations": [1, 16], "dropout": [0.1]},
    "unet-plain": {"kind": "unet", "levels": [1, 2], "widths": [2, 5], "norms": ["none"], "upsamplings": ["bilinear"]},
    "mlp-blocks": {"kind": "mlp", "blocks": ["residual", "gated"], "embeddings": ["none", "periodic", "lite"]},
    "conv1d-absent": {
        "kind": "conv1d",
        "stages": 2,
        "depths": [0, 1],
        "kernels": [1, 4],
        "stem_kernels": 8,
        "strides": 4,
    },
    "conv1d-recurrent": {"kind": "conv1d", "tails": ["gru"], "shortenings": ["max"], "blocks": ["residual"]},
    "transformer-small": {"kind": "transformer", "widths": 12, "layers": [1, 2], "head_sizes": 4, "windows": 2},
    "transformer-class": {"kind": "transformer", "patches": [2, 8], "pools": ["class"], "mixers": ["full"]},
    "mlp-small": {"kind": "mlp", "layers": [2, 2], "widths": 4, "dropout": [0.1], "norm": [True]},
}
SECTIONS = {**{kind: {"kind": kind} for kind in SPACES if kind != "two_tower"}, **VARIANTS}
IMAGES = [(1, 8, 8), (3, 32, 32), (1, 28, 28), (2, 7, 5), (3, 1, 1)]
SERIES = [(1, 8), (3, 32), (2, 1)]


@pytest.fixture(params=SECTIONS)
def space(request) -> Space:
    return construct(SPACES, PartConfig(**SECTIONS[request.param]), "space")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def sampled(space: Space, count: int, seed: int = 0) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(count)]


def example_shape(space: Space) -> tuple[int, ...]:
    """Of an example that it takes: a series or an image."""
    return (8, 8) if _of_series(space) else (1, 8, 8)


def _of_series(space: Space) -> bool:
    return isinstance(space, SPACES["tcn"] | SPACES["conv1d"])


def task_of(space: Space, shape: tuple[int, ...], outputs: int = 10) -> TaskSpec:
    """With an answer for each pixel where the space gives that."""
    return TaskSpec("test", InputSpec(shape), (outputs, *(shape[1:] if isinstance(space, SPACES["unet"]) else ())))


def built(space: Space, genome: tuple[int, ...], outputs: int = 10) -> nn.Module:
    return space.build(space.decode(genome), task_of(space, example_shape(space), outputs))


def structure(network: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(parameter.shape)) for name, parameter in network.named_parameters()]


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("number", range(5))
def test_a_space_keeps_its_contract_for_every_shape(space, number):
    shapes = SERIES if _of_series(space) else IMAGES
    shape = shapes[number % len(shapes)]
    check_space(space, task_of(space, shape, 2 if shape[0] == 3 else 10), samples=20, seed=sum(shape), networks=2)


def test_a_network_is_picklable_copyable_and_has_no_empty_tensor(space):
    for genome in sampled(space, 3):
        network = built(space, genome).eval()
        x = torch.randn(2, *example_shape(space))
        assert all(parameter.numel() for parameter in network.parameters())
        for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert torch.equal(copied(x), network(x))


def test_a_network_learns(space):
    """The brightest quadrant of an image, after 60 steps: every space has networks that see that."""
    rng = torch.Generator().manual_seed(0)
    y = torch.randint(4, (128,), generator=rng)
    x = torch.randn(128, 1, 8, 8, generator=rng)
    x = x + 2 * torch.eye(4)[y].view(-1, 1, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3) * ramp()
    x = x.view(-1, *example_shape(space))
    errors = (error_of(space, genome, x, y) for genome in sampled(space, 2, seed=3))
    assert any(error < 0.3 for error in errors)  # 0.75 by chance


def error_of(space: Space, genome: tuple[int, ...], x: torch.Tensor, y: torch.Tensor) -> float:
    torch.manual_seed(0)
    network = built(space, genome, outputs=4)
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    for step in range(60):
        rows = torch.arange(32) + 32 * (step % 4)
        optimizer.zero_grad()
        nn.functional.cross_entropy(answers(network, x[rows]), y[rows]).backward()
        optimizer.step()
    return (answers(network, x).argmax(1) != y).float().mean().item()


def answers(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """One for each example: of answers for pixels their mean."""
    found = network(x)
    return found.flatten(2).mean(2) if found.ndim > 2 else found


def ramp() -> torch.Tensor:
    """A different pattern in each quadrant, as global pooling does not see where something is."""
    pattern = torch.ones(8, 8)
    pattern[:4, 4:] = -1
    pattern[4:, :4][::2] *= -1
    pattern[4:, 4:][:, ::2] *= -1
    return pattern


SMALL = {
    "cell-exact": {"kind": "cell", "nodes": 3, "isomorphism": "exact", "channels": 4, "stages": 2},
    "cell-stacked": {
        "kind": "cell",
        "nodes": 3,
        "ops": ["none", "skip", "conv1x1"],
        "channels": [4, 6],
        "cells": [1, 2],
        "stages": 2,
        "isomorphism": "exact",
    },
    "mobile": {"kind": "mobile", "stages": 1, "strides": 1, "stem": 4, "activations": ["relu"], "depths": [1, 2]},
    "mobile-blocks": {
        "kind": "mobile",
        "stages": 1,
        "strides": 1,
        "stem": 4,
        "widths": [4],
        "depths": [1, 2],
        "per": "block",
    },
    "mlp": {"kind": "mlp", "widths": [4, 6], "layers": [1, 2], "activations": ["relu"], "dropout": [0.0]},
    "mlp-blocks": {"kind": "mlp", "widths": [4, 6], "layers": [1, 2], "blocks": ["plain", "residual", "gated"]},
    "unet": {"kind": "unet", "levels": [1, 2], "widths": [2, 4], "norms": ["none", "batch"]},
    "conv1d": {
        "kind": "conv1d",
        "stages": 2,
        "depths": [0, 1],
        "kernels": [1, 3],
        "factors": 2,
        "strides": 1,
        "units": 4,
    },
    "tcn": {"kind": "tcn", "widths": [4], "layers": [1, 2], "kernels": [2, 3], "dilations": [1, 2]},
    "transformer": {
        "kind": "transformer",
        "widths": [4],
        "layers": [1, 2],
        "heads": 1,
        "head_sizes": 4,
        "windows": [2, 3],
    },
}


@pytest.mark.parametrize("name", SMALL)
def test_equal_networks_are_one_identity_and_one_identity_has_one_number_of_parameters(name):
    space = construct(SPACES, PartConfig(**SMALL[name]), "space")
    genomes = sampled(space, 300)
    networks = {genome: built(space, genome) for genome in set(genomes)}
    sizes, graphs = defaultdict(set), defaultdict(set)
    for genome, network in networks.items():
        sizes[space.identity(genome)].add(parameters(network))
        graphs[repr(network), str(wires(network)), str(structure(network))].add(space.identity(genome))
    assert all(len(found) == 1 for found in sizes.values())
    assert all(len(found) == 1 for found in graphs.values())
    assert len(sizes) > 10


def wires(network: nn.Module) -> list[object]:
    return [getattr(module, "wires", None) for module in network.modules()]


def test_what_a_space_takes_is_checked(space):
    wrong, says = (InputSpec((16,)), r"images \(channels, height, width\), not for inputs of 16")
    if type(space) is SPACES["tcn"]:
        wrong, says = (InputSpec((1, 8, 8)), r"tokens \(length,\) of whole numbers and series \(channels, length\)")
    if type(space) is SPACES["conv1d"]:
        wrong, says = (InputSpec((16,)), r"^conv1d builds networks for series \(channels, length\), tokens")
    if type(space) is SPACES["transformer"]:
        wrong, says = (InputSpec((1, 1, 8, 8)), r"images \(channels, height, width\), vectors")
    if type(space) is SPACES["mlp"]:
        wrong, says = (InputSpec((16,), "int64", 5), r"of any shape and for tables, not for 16 of int64 below 5")
    with pytest.raises(ValueError, match=says):
        space.build(space.decode(sampled(space, 1)[0]), TaskSpec("test", wrong, (10,)))
    with pytest.raises(ValueError, match=says):
        space.check_task(TaskSpec("test", wrong, (10,)))


def test_signatures_tell_every_variant_apart():
    signatures = {
        name: construct(SPACES, PartConfig(**section), "space").signature() for name, section in SECTIONS.items()
    }
    assert len(set(signatures.values())) == len(signatures)


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"stages": 2}, {"stages": 3}),
        ({"channels": 8}, {"channels": 16}),
        ({"cells": 1}, {"cells": 2}),
        ({"nodes": 3}, {"nodes": 4}),
        ({"reduction": "cell"}, {"reduction": "resnet"}),
    ],
)
def test_a_fixed_option_of_a_cell_is_in_its_signature(change, other):
    assert SPACES["cell"](**change).signature() != SPACES["cell"](**other).signature()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "sell"}, "space.kind: unknown 'sell'; did you mean 'cell'"),
        ({"kind": "cell", "chanels": 8}, "space: unknown 'chanels'; did you mean 'channels'"),
        ({"kind": "cell", "nodes": 1}, "nodes: takes 2 or more, not 1"),
        ({"kind": "cell", "nodes": 9}, "nodes: a cell has at most 8 nodes, not 9"),
        ({"kind": "cell", "ops": ["skip", "conv9x9"]}, "ops: no operation 'conv9x9'; there are none, skip"),
        ({"kind": "cell", "ops": ["skip", "skip"]}, "ops: takes two or more different operations, not skip, skip"),
        ({"kind": "cell", "ops": []}, "ops: takes two or more different operations, not none at all"),
        ({"kind": "cell", "stages": 0}, "stages: takes 1 or more"),
        ({"kind": "cell", "stages": 1, "reduction": "cell"}, "reduction: cell stands between stages"),
        ({"kind": "cell", "reduction": "pool"}, "reduction: input should be 'resnet' or 'cell'"),
        ({"kind": "cell", "channels": []}, "channels: takes different whole numbers of 1 or more"),
        ({"kind": "cell", "cells": [0, 1]}, "cells: takes different whole numbers of 1 or more"),
        ({"kind": "cell", "channels": "many"}, "channels"),
        ({"kind": "mobile", "kernels": [3, 4]}, "kernels: takes odd numbers"),
        ({"kind": "mobile", "strides": 3}, "strides: takes 1, 2 or 4"),
        ({"kind": "mobile", "pools": []}, "pools: takes different ones of False, True"),
        ({"kind": "mobile", "widths": []}, "widths: takes"),
        ({"kind": "mobile", "widths": [[8], [16]]}, "widths: takes one list of channels, or 3 such lists"),
        ({"kind": "mobile", "widths": [8, [16]]}, "widths"),
        (
            {"kind": "mobile", "depths": [1, 2, 4], "per": "block"},
            "depths: takes evenly spaced ones where per is block",
        ),
        ({"kind": "mobile", "per": "network"}, "per: input should be 'stage' or 'block'"),
        ({"kind": "mobile", "depths": [0]}, "depths: 0 alone leaves no blocks"),
        ({"kind": "mobile", "depths": [-1, 1]}, "depths: takes different whole numbers of 0 or more"),
        ({"kind": "mobile", "blocks": ["inverted", "dense"]}, "blocks"),
        ({"kind": "mobile", "blocks": []}, "blocks: takes different ones of residual, inverted, separable"),
        ({"kind": "mobile", "squeeze": [True, True]}, "squeeze: takes different ones of False, True"),
        ({"kind": "mobile", "activations": ["relu", "relu"]}, "activations: takes different ones"),
        ({"kind": "mobile", "stages": 0}, "stages: takes 1 or more"),
        ({"kind": "mlp", "layers": [2, 1]}, "layers: takes the least, of 1 or more"),
        ({"kind": "mlp", "blocks": ["plain", "dense"]}, "blocks.1: input should be 'plain', 'residual' or 'gated'"),
        ({"kind": "mlp", "blocks": []}, "blocks: takes different ones of plain, residual, gated, not "),
        ({"kind": "mlp", "scales": [0.0]}, "scales: takes different numbers above 0"),
        ({"kind": "unet", "levels": [0, 2]}, "levels: takes the least, of 1 or more"),
        ({"kind": "unet", "norms": []}, "norms: takes different ones of none, batch, group"),
        ({"kind": "conv1d", "depths": [0]}, "depths: 0 alone leaves no blocks"),
        ({"kind": "conv1d", "factors": 1}, "factors: takes different whole numbers of 2 or more"),
        ({"kind": "conv1d", "tails": ["gru", "gru"]}, "tails: takes different ones of mean, max, gru"),
        ({"kind": "conv1d", "widths": [[8], [16]]}, "widths: takes one list of channels, or 3 such lists"),
        ({"kind": "tcn", "layers": [0, 2]}, "layers: takes the least, of 1 or more"),
        ({"kind": "tcn", "kernels": [1]}, "kernels: takes different whole numbers of 2 or more"),
        ({"kind": "tcn", "dropout": [1.0]}, "dropout: takes shares from 0 to below 1"),
        ({"kind": "transformer", "layers": [0, 2]}, "layers: takes the least, of 1 or more"),
        ({"kind": "transformer", "mixers": ["full", "full"]}, "mixers: takes different ones of full, local, linear"),
        ({"kind": "transformer", "mixers": []}, "mixers: takes different ones of full, local, linear, conv"),
        ({"kind": "transformer", "head_sizes": [8, 9]}, "head_sizes: takes even numbers"),
        ({"kind": "transformer", "gated": []}, "gated: takes different ones of False, True"),
        ({"kind": "transformer", "dropout": [1.0]}, "dropout: takes shares from 0 to below 1"),
        ({"kind": "transformer", "kernels": [1]}, "kernels: takes different whole numbers of 2 or more"),
        ({"kind": "tcn", "convolutions": ["full", "full"]}, "convolutions: takes different ones of full, separable"),
    ],
)
def test_a_wrong_option_is_one_clear_line(section, message):
    with pytest.raises(UserError, match=message) as caught:
        construct(SPACES, PartConfig(**section), "space")
    assert "\n" not in str(caught.value)


def test_sizes_of_the_networks_for_digits():
    """Small enough to train on a CPU, and far apart: there is something to trade."""
    for kind, low, high in (("cell", 10_000, 100_000), ("mobile", 500, 200_000)):
        space = SPACES[kind]()
        sizes = [parameters(built(space, genome)) for genome in sampled(space, 60)]
        assert low < min(sizes)
        assert max(sizes) < high
        assert max(sizes) > 3 * min(sizes)


def test_pooling_halves_a_mobile_network_early():
    space = SPACES["mobile"](
        stages=1, strides=1, stem=4, widths=[4], depths=1, blocks=["residual"], pools=[False, True]
    )
    task = TaskSpec("t", InputSpec((1, 9, 8)), (2,))
    sizes = {}
    for genome in space.genomes():
        arch, seen = space.decode(genome), []
        network = space.build(arch, task)
        network[-1].register_forward_pre_hook(lambda module, x, seen=seen: seen.append(tuple(x[0].shape[2:])))
        network(torch.zeros(1, 1, 9, 8))
        sizes[arch.stem.pool] = seen[0]
    assert sizes == {False: (9, 8), True: (5, 4)}
    assert "pool" not in SPACES["mobile"](stages=1).signature(), "searches from before it go on"


def test_inactive_genes_of_mobile_are_those_of_blocks_not_taken():
    space = SPACES["mobile"](stages=1)
    arch = {
        "stem": {"width": 8, "stride": 1},
        "activation": "relu",
        "stage_0": {"width": 8, "depth": 1, "squeeze": False, "block": {"kind": "separable", "kernel": 5}},
    }
    genome = space.encode(arch)
    off = [gene.name for gene, on in zip(space.genes, space.active(genome), strict=True) if not on]
    assert off == ["stage_0.block.inverted.kernel", "stage_0.block.inverted.expansion"]


def test_mobile_by_hand():
    """One separable block: stem 9*8 + 16, depthwise 25*8 + 16, pointwise 8*16 + 32, head 16*10 + 10."""
    space = SPACES["mobile"](stages=1)
    arch = {
        "stem": {"width": 8, "stride": 1},
        "activation": "relu",
        "stage_0": {"width": 16, "depth": 1, "squeeze": False, "block": {"kind": "separable", "kernel": 5}},
    }
    assert parameters(built(space, space.encode(arch))) == (72 + 16) + (200 + 16) + (128 + 32) + 170


def test_images_are_halved_down_to_two_pixels():
    halved = [shrunk(size, halving(size)) for size in ((32, 32), (7, 5), (3, 2), (2, 100), (1, 1))]
    assert halved == [(16, 16), (4, 3), (2, 2), (2, 50), (1, 1)]
    assert shrunk((7, 5), halving((7, 5), 4)) == (2, 2)
