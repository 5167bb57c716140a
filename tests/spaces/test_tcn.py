"""Causal convolutions look back, as far as their genes say, and take tokens as well as series."""

import pytest
import torch

from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.testing import check_space

TEXT = TaskSpec("text", InputSpec((16,), "int64", 7), (16, 7), {"error": "minimize"})
BLOCKS = [
    {"convolution": "full", "kernel": 3, "dilation": 2},
    {"convolution": "separable", "kernel": 2, "dilation": 1},
]


def network(spec: TaskSpec) -> torch.nn.Module:
    space = SPACES["tcn"](widths=16, dropout=[0.0])
    arch = {"width": 16, "blocks": BLOCKS, "activation": "silu", "dropout": 0.0}
    return space.build(space.decode(space.encode(arch)), spec).eval()


def test_a_place_sees_itself_and_as_far_back_as_the_kernels_reach() -> None:
    torch.manual_seed(0)
    text = torch.randint(7, (1, 16))
    other = text.clone()
    other[0, 8] = (text[0, 8] + 1) % 7
    net = network(TEXT)
    with torch.no_grad():
        changed = (net(text) != net(other)).any(2)[0]
    assert changed.nonzero().flatten().tolist() == list(range(8, 8 + 6))  # 1 + 2 * 2 + 1 places


def test_it_gives_an_answer_at_each_place_or_one_for_all() -> None:
    assert network(TEXT)(torch.zeros(2, 16, dtype=torch.long)).shape == (2, 16, 7)
    series = TaskSpec("series", InputSpec((3, 16)), (16, 2))
    assert network(series)(torch.randn(2, 3, 16)).shape == (2, 16, 2)
    whole = TaskSpec("whole", InputSpec((3, 16)), (2,))
    assert network(whole)(torch.randn(2, 3, 16)).shape == (2, 2)


@pytest.mark.parametrize("outputs", [(16, 7), (4,)])
def test_the_contract_holds_for_tokens(outputs: tuple[int, ...]) -> None:
    check_space(SPACES["tcn"](), TaskSpec("text", TEXT.input, outputs), samples=20, networks=4)


@pytest.mark.parametrize("spec", [TaskSpec("a", InputSpec((16,)), (4,)), TaskSpec("b", TEXT.input, (8, 7))])
def test_other_tasks_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(ValueError, match=r"^tcn (builds networks for tokens|gives \(outputs,\), or)"):
        SPACES["tcn"]().check_task(spec)
