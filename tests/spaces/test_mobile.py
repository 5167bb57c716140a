"""Blocks of `mobile`, one choice a stage or a block: published stages by hand, and that what was there is unchanged."""

import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES

TASK = TaskSpec("images", InputSpec((1, 8, 8)), (3,))
OPTIONS: dict[str, Any] = {
    "stages": 1,
    "stem": 24,
    "widths": [32, 48],
    "depths": [2, 3, 4],
    "blocks": ["inverted", "fused", "separable"],
    "expansions": [1, 4, 6],
    "activations": ["relu"],
}


def block(kind: str, expansion: int = 1, squeeze: bool = False) -> dict[str, Any]:
    form = {"kind": kind, "kernel": 3} if kind == "separable" else {"kind": kind, "kernel": 3, "expansion": expansion}
    return {"squeeze": squeeze, "block": form}


def stage(width: int, content: dict[str, Any], **options: Any) -> nn.Module:
    """The blocks of a network of one stage behind a stem of 24 channels."""
    space = SPACES["mobile"](**OPTIONS, **options)
    arch = {"stem": {"width": 24, "stride": 1}, "activation": "relu", "stage_0": {"width": width, **content}}
    return nn.Sequential(*list(space.build(space.decode(space.encode(arch)), TASK))[1:-1])


def test_a_stage_of_mobilenet_v2_by_hand() -> None:
    """24 to 32 channels, three blocks, six times wider inside (Sandler et al. 2018, table 2): pointwise, 3x3 depthwise,
    pointwise, each with BatchNorm. timm's mobilenetv2_100 has the same number in blocks[2]."""
    found = stage(32, {"depth": 3, **block("inverted", 6)})
    first = (24 * 144 + 288) + (9 * 144 + 288) + (144 * 32 + 64)
    other = (32 * 192 + 384) + (9 * 192 + 384) + (192 * 32 + 64)
    assert parameters(found) == first + 2 * other == 39_696


def test_a_stage_of_efficientnet_v2_by_hand() -> None:
    """24 to 48 channels, four fused blocks, four times wider inside (Tan & Le 2021, table 4, stage 2): 3x3 and
    pointwise, each with BatchNorm. timm's tf_efficientnetv2_s has the same number in blocks[1]."""
    found = stage(48, {"depth": 4, **block("fused", 4)})
    first, other = (9 * 24 * 96 + 192) + (96 * 48 + 96), (9 * 48 * 192 + 384) + (192 * 48 + 96)
    assert parameters(found) == first + 3 * other == 303_552
    assert multiply_accumulates(found, InputSpec((24, 8, 8))) == 64 * (9 * 24 * 96 + 96 * 48 + 3 * 10 * 48 * 192)


def test_a_fused_block_that_does_not_widen_is_one_convolution() -> None:
    found = stage(32, {"depth": 2, **block("fused", 1)})
    assert parameters(found) == (9 * 24 * 32 + 64) + (9 * 32 * 32 + 64)


def test_each_block_of_a_stage_has_its_own_choices() -> None:
    blocks = [block("inverted", 6), block("separable", squeeze=True), block("fused", 4)]
    found = stage(32, {"blocks": blocks}, per="block")
    inverted = (24 * 144 + 288) + (9 * 144 + 288) + (144 * 32 + 64)
    separable = (9 * 32 + 64) + (32 * 8 + 8 + 8 * 32 + 32) + (32 * 32 + 64)
    fused = (9 * 32 * 128 + 256) + (128 * 32 + 64)
    assert [parameters(one) for one in found] == [inverted, separable, fused]


def test_genes_of_blocks_beyond_the_depth_are_inactive() -> None:
    space = SPACES["mobile"](**OPTIONS, per="block")
    names = [gene.name for gene in space.genes]
    assert [name for name in names if "stage_0.blocks.1" in name][:2] == [
        "stage_0.blocks.1.squeeze",
        "stage_0.blocks.1.block.kind",
    ]
    genome = list(space.sample(np.random.default_rng(0)))
    genome[names.index("stage_0.blocks.count")] = 0  # two blocks
    other = [1 - index % 2 if ".blocks.3." in name else index for name, index in zip(names, genome, strict=True)]
    assert other != genome
    assert space.identity(tuple(other)) == space.identity(tuple(genome))


def test_searches_from_before_there_were_choices_by_block_go_on() -> None:
    """Signature, identities and networks of random genomes, digested as they were before (commit 398f127)."""
    found, rng = hashlib.sha256(), np.random.default_rng(0)
    for space in (SPACES["mobile"](), SPACES["mobile"](stages=2, depths=[0, 1], pools=[False, True])):
        found.update(space.signature().encode())
        for _ in range(10):
            genome = space.sample(rng)
            with torch.device("meta"):
                network = space.build(space.decode(genome), TASK)
            weights = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
            strides = [layer.stride for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.MaxPool2d)]
            found.update(repr((genome, space.identity(genome), weights, strides)).encode())
    assert found.hexdigest() == "3a25c7ee8ac47d7993f97183e160f1b2bf28a5d224dc27a9ccbee098680f739d"


def test_a_resolution_is_a_gene_of_the_network() -> None:
    """What a network of it costs is what one costs for pictures of that size, and its weights are the same."""
    space = SPACES["mobile"](**OPTIONS, resolutions=[4, 8])
    task = TaskSpec("wide", InputSpec((1, 8, 16)), (3,))
    arch = {"stem": {"width": 24, "stride": 1}, "activation": "relu", "stage_0": {"width": 32, "depth": 2}}
    arch["stage_0"] |= block("fused", 4)
    small, whole = (space.build(space.decode(space.encode({**arch, "resolution": height})), task) for height in (4, 8))
    assert small(torch.zeros(2, 1, 8, 16)).shape == (2, 3)
    macs = [multiply_accumulates(net, task.input) for net in (small, whole)]
    assert macs[0] == multiply_accumulates(whole, InputSpec((1, 4, 8))) < macs[1] / 3
    x = torch.arange(128.0).reshape(1, 1, 8, 16)
    assert torch.allclose(small[0](x), nn.functional.avg_pool2d(x, 2)), "half the size is the mean of four pixels"
    assert dict(SPACES["mobile"](**OPTIONS).leaves).keys() == dict(space.leaves).keys() - {"resolution"}
    with pytest.raises(ValueError, match="12 is more than the pictures have, 8"):
        SPACES["mobile"](resolutions=[4, 12]).check_task(task)


def test_networks_of_two_resolutions_are_two_where_stages_may_be_absent() -> None:
    space = SPACES["mobile"](stages=2, depths=[0, 1], resolutions=[4, 8])
    genome = space.sample(np.random.default_rng(0))
    place = [name for name, _ in space.leaves].index("resolution")
    other = (*genome[:place], 1 - genome[place], *genome[place + 1 :])
    assert space.identity(genome) != space.identity(other)
