"""CUDA graphs and events, on a GPU that is only calculated; `test_backends` has what needs a real one."""

import pytest
import torch

from evonas.measuring.backends import cuda_graph
from evonas.measuring.backends.cuda_graph import EventClock, captured
from tests.measuring.fake_cuda import FakeGpu, raising_in_capture

X = torch.ones(1)
REFUSED = RuntimeError("CUDA error: operation not permitted when stream is capturing\nsee the notes")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    return FakeGpu(monkeypatch)


def test_a_replay_takes_what_its_kernels_take(gpu: FakeGpu) -> None:
    """50 us, of which launching and the events around it would be a sixth."""
    run, conditions = captured(lambda x: 2 * x, X)
    clock = EventClock(grouped=True)
    first, *_, last = (clock.passes(run, X, 50) for _ in range(3))
    assert conditions == {}
    assert first[0] > 0.055
    assert last == pytest.approx([0.05] * 50, rel=0.01)
    assert [len(clock.passes(run, X, count)) for count in (1, 3, 77)] == [1, 3, 77]
    assert (gpu.events, gpu.graphs) == (2, 1)
    assert torch.equal(run(X), 2 * X)


def test_all_passes_of_a_group_are_run_and_counted(gpu: FakeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "GROUP_MS", 0.25)
    ran = []
    clock = EventClock(grouped=True)
    clock.passes(lambda x: (ran.append(1), gpu.launch(50.0)), X, 1 + 23)  # type: ignore[arg-type,func-returns-value]
    assert len(ran) == 24
    assert clock._group in (4, 5)


def test_an_eager_pass_is_timed_alone_with_its_launches(gpu: FakeGpu) -> None:
    clock = EventClock(grouped=False)
    assert min(clock.passes(lambda x: gpu.launch(50.0), X, 20)) > 0.055  # type: ignore[arg-type,func-returns-value]


def test_a_network_that_cannot_be_captured_runs_eager_and_says_why(gpu: FakeGpu) -> None:
    network = raising_in_capture(gpu, REFUSED)
    run, conditions = captured(network, X)
    assert run is network
    assert "operation not permitted when stream is capturing" in conditions["graph_refused"]
    assert "\n" not in conditions["graph_refused"]


def test_memory_that_runs_out_and_a_broken_gpu_are_no_refusals(gpu: FakeGpu) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        captured(raising_in_capture(gpu, torch.OutOfMemoryError("CUDA out of memory")), X)
    gpu.broken = True
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        captured(raising_in_capture(gpu, REFUSED), X)
