"""Networks of `unet`: the published one by hand, and images of any size."""

from typing import Any

import pytest
import torch

from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES

ARCH = {"levels": 4, "width": 64, "block": "double", "norm": "none", "upsampling": "transposed", "activation": "relu"}
OPTIONS = {"widths": [8, 64], "norms": ["none", "batch", "group"], "upsamplings": ["transposed", "nearest", "bilinear"]}


def built(size: tuple[int, int], outputs: int = 2, **arch: Any) -> torch.nn.Module:
    space = SPACES["unet"](**OPTIONS)
    task = TaskSpec("masks", InputSpec((1, *size)), (outputs, *size))
    return space.build(space.decode(space.encode({**ARCH, **arch})), task)


def test_the_network_of_the_paper_by_hand() -> None:
    """Ronneberger et al. 2015, figure 1: 64 to 1,024 channels, two 3x3 convolutions a level with biases, transposed 2x2
    convolutions, two classes: 31.0 million. The paper's convolutions lose a border, which changes no parameter; with
    ours, which keep the size, products are those of 64 x 64 pixels here."""
    network, widths = built((64, 64)), [64, 128, 256, 512, 1024]
    above = [1, *widths[:-1]]
    down = [(9 * a * w, 9 * w * w) for a, w in zip(above, widths, strict=True)]
    up = [(4 * 2 * w * w, 9 * 2 * w * w, 9 * w * w) for w in widths[:-1]]
    weights = sum(map(sum, [*down, *up])) + 64 * 2
    biases = 2 * sum(widths) + 3 * sum(widths[:-1]) + 2
    assert parameters(network) == weights + biases == 31_030_658
    pixels = [4096 // 4**level for level in range(5)]
    products = sum(p * sum(own) for p, own in zip(pixels, down, strict=True)) + 4096 * 64 * 2
    products += sum(p * (b + c) + p // 4 * a for p, (a, b, c) in zip(pixels, up, strict=False))  # a reads p/4 pixels
    assert multiply_accumulates(network, InputSpec((1, 64, 64))) == products


@pytest.mark.parametrize(("block", "wanted"), [("double", 9 * 8 * 8 + 16), ("residual", 9 * 8 * 8 + 8 + 32)])
def test_blocks_of_the_first_level_by_hand(block: str, wanted: int) -> None:
    """1 to 8 channels with BatchNorm: 9*8 + 16 and 9*8*8 + 16; residual: 1*8 + 16 more for the shortcut."""
    first = built((8, 8), width=8, block=block, norm="batch").first
    assert parameters(first) == (72 + 16) + wanted


def test_a_separable_block_by_hand() -> None:
    first = built((8, 8), width=8, block="separable", norm="batch").first
    assert parameters(first) == (9 + 2) + (8 + 16) + (72 + 16) + (64 + 16)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (17, 32), (2, 33)])
@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
def test_an_answer_for_each_pixel_of_any_size(size: tuple[int, int], upsampling: str) -> None:
    network = built(size, 3, width=8, upsampling=upsampling, norm="group").eval()
    assert network(torch.randn(2, 1, *size)).shape == (2, 3, *size)


def test_each_level_sees_what_it_had_on_the_way_down() -> None:
    """Of blocks below the first that give nothing, the first level's own answer is left, pixel by pixel."""
    torch.manual_seed(0)
    network = built((9, 9), width=8, levels=1).eval()
    torch.nn.init.zeros_(network.up[0].weight)
    x = torch.randn(1, 1, 9, 9)
    other = x.clone()
    other[0, 0, 4, 4] += 1
    with torch.no_grad():
        changed = (network(x) != network(other)).any(1)[0].nonzero()
    assert len(changed) == 81  # four 3x3 convolutions reach four pixels far


@pytest.mark.parametrize("outputs", [(10,), (2, 8, 9), (8, 8)])
def test_other_outputs_are_refused(outputs: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"^unet gives \(outputs, 8, 8\), as high and wide as its input, not outputs of"
    ):
        SPACES["unet"]().check_task(TaskSpec("wrong", InputSpec((1, 8, 8)), outputs))
