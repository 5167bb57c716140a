"""Networks of `conv1d`: a published one by hand, and how they shorten what they read."""

from typing import Any

import pytest
import torch

from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.testing import check_space

STAGE = {"shortening": {"kind": "none"}, "depth": 1, "block": "plain", "kernel": 3, "dilation": 1, "squeeze": False}
ARCH = {"activation": "relu", "tail": {"kind": "mean"}, "dropout": 0.0, "stem": {"width": 8, "kernel": 3, "stride": 1}}
SERIES = TaskSpec("series", InputSpec((3, 16)), (5,))


def built(spec: TaskSpec = SERIES, stages: list[dict[str, Any]] | None = None, **arch: Any) -> torch.nn.Module:
    """Of the space in which that is, with a stage for each."""
    found = {f"stage_{at}": {**STAGE, "width": 8, **stage} for at, stage in enumerate(stages or [{}])}
    options = {"widths": [8, 16, 128, 256, 512], "stem": [8, 128], "stem_kernels": [3, 80], "strides": [1, 4]}
    space = SPACES["conv1d"](stages=len(found), units=[6], **options)
    return space.build(space.decode(space.encode({**ARCH, **found, **arch})), spec)


def test_m5_by_hand() -> None:
    """M5 (Dai et al. 2017, table 1, "0.5 M"): 80 at a stride of 4, then 3 three times, 128 to 512 channels, each behind
    a pooling of 4; without biases, with BatchNorm. Its last pooling, before the mean of all, has no parameters."""
    pooled = {"shortening": {"kind": "max", "factor": 4}}
    stages = [{**pooled, "width": width} for width in (128, 256, 512)]
    spec = TaskSpec("sound", InputSpec((1, 32_000)), (10,))
    network = built(spec, stages, stem={"width": 128, "kernel": 80, "stride": 4})
    products = [80 * 128, 3 * 128 * 128, 3 * 128 * 256, 3 * 256 * 512]
    assert parameters(network) == sum(products) + 2 * (128 + 128 + 256 + 512) + 512 * 10 + 10 == 558_090
    places = [8000, 2000, 500, 125]
    wanted = sum(n * own for n, own in zip(places, products, strict=True)) + 5120
    assert multiply_accumulates(network, spec.input) == wanted == 278_533_120


def test_a_separable_stage_and_a_recurrent_tail_by_hand() -> None:
    """Stem 3*3*8 + 16; depthwise 3*8 + 16, pointwise 8*16 + 32; GRU 3*(16*6 + 6*6 + 12) at each place; 6*5 + 5."""
    tail = {"kind": "gru", "units": 6}
    network = built(
        stages=[{"width": 16, "block": "separable", "shortening": {"kind": "stride", "factor": 2}}], tail=tail
    )
    assert parameters(network) == (72 + 16) + (24 + 16) + (128 + 32) + 3 * (96 + 36 + 12) + 35
    assert multiply_accumulates(network, SERIES.input) == 16 * 72 + 8 * (24 + 128) + 8 * 3 * (96 + 36) + 30


@pytest.mark.parametrize("kind", ["stride", "max", "mean"])
def test_a_stage_shortens_and_leaves_two_places(kind: str) -> None:
    seen: list[int] = []
    network = built(stages=[{"shortening": {"kind": kind, "factor": 4}}] * 3)
    network[-2].register_forward_pre_hook(lambda module, x: seen.append(x[0].shape[2]))
    network(torch.randn(2, 3, 16))
    assert seen == [4]  # 16 -> 4, which a further 4 would leave 1 of


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (3, 4), (9, 2)])
def test_a_place_sees_as_far_as_kernel_and_dilation_say(kernel: int, dilation: int) -> None:
    torch.manual_seed(0)
    network = built(TaskSpec("s", InputSpec((3, 64)), (5,)), [{"kernel": kernel, "dilation": dilation}])
    before = torch.nn.Sequential(*list(network)[:-2]).eval()
    x = torch.randn(1, 3, 64)
    other = x.clone()
    other[:, :, 32] += 1
    with torch.no_grad():
        changed = (before(x) != before(other)).any(1)[0].nonzero().flatten().tolist()
    far = kernel // 2 * dilation + 1  # the stem takes in one more on either side
    assert (changed[0], changed[-1]) == (32 - far, 32 + far)


INPUTS = {"tokens": InputSpec((9,), "int64", 7), "spectrograms": InputSpec((1, 20, 33)), "even": InputSpec((2, 10))}


@pytest.mark.parametrize("name", INPUTS)
def test_the_contract_holds_for_other_inputs_and_outputs(name: str) -> None:
    outputs = (4, 2) if name == "even" else (4,)
    space = SPACES["conv1d"](kernels=[3, 4], stem_kernels=[4, 9])
    check_space(space, TaskSpec(name, INPUTS[name], outputs), samples=10, networks=2)


@pytest.mark.parametrize("wrong", [InputSpec((3, 8, 8)), InputSpec((16,)), InputSpec((2, 8), "int64", 5)])
def test_other_inputs_are_refused(wrong: InputSpec) -> None:
    with pytest.raises(ValueError, match=r"^conv1d builds networks for series"):
        SPACES["conv1d"]().check_task(TaskSpec("wrong", wrong, (4,)))


def test_the_recurrent_tail_has_read_the_whole_series() -> None:
    """A state that was asked for before the last place would not know of it; none knows of what comes behind."""
    torch.manual_seed(0)
    tail = built(tail={"kind": "gru", "units": 6})[-2].eval()
    x = torch.randn(1, 8, 5)
    states = torch.stack([tail(x[:, :, : end + 1]) for end in range(5)])
    assert torch.allclose(states[-1], tail.gru(x.transpose(1, 2))[1][0])
    assert len(states.flatten(1).unique(dim=0)) == 5


def test_one_place_that_a_kernel_takes_in_has_no_dilation() -> None:
    space = SPACES["conv1d"](stages=1, widths=[8], kernels=[1, 3], dilations=[1, 4])
    stage = {**STAGE, "width": 8}
    names = {
        (kernel, dilation): space.identity(
            space.encode({**ARCH, "stage_0": {**stage, "kernel": kernel, "dilation": dilation}})
        )
        for kernel in (1, 3)
        for dilation in (1, 4)
    }
    assert names[1, 1] == names[1, 4]
    assert len(set(names.values())) == 3
