import copy
import gc
import time

import pytest
import torch
from torch import nn

from evonas.config import TargetConfig
from evonas.evaluation.latency import middle, samples
from evonas.evaluation.targets import TARGETS, TorchTarget, available
from evonas.records import UserError
from tests.evaluation.small import bars_task, conv_net, global_state

SPEC = bars_task(n=4).spec


def target(**options: object) -> TorchTarget:
    return TorchTarget("cpu", TargetConfig.model_validate({"samples": 21, "max_seconds": 1.0, **options}))


def test_median_and_interquartile_range() -> None:
    assert middle((1.0, 2.0, 3.0, 4.0, 100.0)) == (3.0, 2.0)


def test_warm_up_ends_when_two_blocks_agree() -> None:
    calls = iter([9.0] * 5 + [5.0] * 5 + [3.0] * 5 + [3.1] * 5 + [float(i) for i in range(20)])
    assert samples(lambda: next(calls), 20, seconds=60) == tuple(map(float, range(20)))


def test_a_slow_network_still_gets_eleven_samples() -> None:
    def slow() -> float:
        time.sleep(0.01)
        return 10.0

    assert len(samples(slow, 100, seconds=0.02)) == 11


def test_the_time_cap_holds() -> None:
    start = time.perf_counter()

    def slow() -> float:
        time.sleep(0.002)
        return time.perf_counter()  # never agrees well enough, and is never the same

    found = samples(slow, 100_000, seconds=0.3)
    assert 11 < len(found) < 200
    assert time.perf_counter() - start < 2


def test_a_network_of_ten_times_the_work_is_slower() -> None:
    def linear(layers: int) -> nn.Module:
        return nn.Sequential(*(nn.Linear(512, 512) for _ in range(layers)))

    small, large = (middle(target(batch=16).measure(linear(layers), (512,)))[0] for layers in (2, 20))
    assert 4 < large / small < 25


def test_the_network_and_the_process_are_left_as_they_were() -> None:
    network = conv_net(4, SPEC)
    network[1].eval()
    state = copy.deepcopy(network.state_dict())
    torch.manual_seed(5)
    before = global_state()
    seen: list[tuple[bool, int, bool, bool]] = []
    network[0].register_forward_hook(
        lambda module, x, y: seen.append(
            (module.training, torch.get_num_threads(), gc.isenabled(), bool(x[0].abs().sum() > 0))
        )
    )
    found = target(threads=2, batch=3).measure(network, SPEC.input_shape)
    assert len(found) == 21
    assert min(found) > 0
    assert set(seen) == {(False, 2, False, True)}
    assert global_state() == before
    assert gc.isenabled()
    assert network.training
    assert not network[1].training
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def test_a_network_that_fails_leaves_the_process_as_it_was() -> None:
    network = nn.Linear(3, 3)
    before = global_state()
    with pytest.raises(RuntimeError):
        target(threads=2).measure(network, (4,))
    assert global_state() == before
    assert gc.isenabled()


def test_conditions_name_the_device_and_how_it_is_used() -> None:
    conditions = target(threads=1, batch=8).conditions
    assert conditions["batch"] == "8"
    assert conditions["threads"] == "1"
    assert conditions["dtype"] == "float32"
    assert conditions["device"]


@pytest.mark.parametrize("backend", TARGETS)
def test_a_device_that_is_not_there(backend: str) -> None:
    with pytest.raises(UserError, match=r"targets\.big\.device: there is no cuda:77 on .*cpu"):
        TARGETS[backend]("big", TargetConfig(device="cuda:77"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_measured_too() -> None:
    network = conv_net(4, SPEC)
    found = TorchTarget("gpu", TargetConfig(device="cuda", samples=21)).measure(network, SPEC.input_shape)
    assert len(found) == 21
    assert min(found) > 0
    assert next(network.parameters()).device == available("cpu", "")
