"""How much slower a network trains beside others: a device of known speed, and a real training."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from evonas.evaluation.draft import Draft
from evonas.evaluation.gpu.pulse import Pulse
from evonas.evaluation.gpu.step_clock import ALONE, LEAST, SETTLE, WARM_UP, StepClock
from evonas.evaluation.learn import _timed
from evonas.measuring.device_lock import DeviceLock
from evonas.records import Epoch
from tests.evaluation.small import bars_task, config, evaluator, job, run


class Lock:
    """Alone, a step takes 1 s, but for the first two; beside others 3 s, and now and then somebody measures."""

    def __init__(self, free: bool = True) -> None:
        self.free, self.now = free, 0.0
        self.is_alone = False
        self.cold = 0  # steps that still take longer, as memory was given back
        self.log: list[str] = []

    def step(self) -> None:
        self.now += 7.0 if self.cold else 1.0 if self.is_alone else 3.0
        self.cold = max(0, self.cold - 1)

    def checkpoint(self) -> None:
        assert not self.is_alone, "it would wait for itself"
        self.log.append("checkpoint")
        self.now += 10.0

    @contextmanager
    def exclusive(self, device: str) -> Iterator[bool]:
        self.log.append(f"alone on {device}")
        self.is_alone, self.cold = self.free, 2
        try:
            yield self.free
        finally:
            self.is_alone = False
            self.log.append("shared")


def trained(lock: Lock, steps: int = 100) -> StepClock:
    clock = StepClock(lock, "GPU-1", lambda: lock.now)  # type: ignore[arg-type]
    for _ in range(steps):
        lock.step()
        clock.checkpoint()
    clock.close()
    return clock


def test_the_slowdown_is_that_of_a_step_without_its_pauses() -> None:
    lock = Lock()
    assert trained(lock).slowdown == pytest.approx(3.0)
    assert lock.log.count("checkpoint") == 100 - SETTLE - ALONE - 1
    assert lock.log.index("alone on GPU-1") == WARM_UP - 1


def test_nothing_is_known_of_a_short_training_or_of_one_that_was_not_alone() -> None:
    assert trained(Lock(), WARM_UP + SETTLE + ALONE + LEAST - 1).slowdown is None
    assert trained(Lock(), WARM_UP + SETTLE + ALONE + LEAST).slowdown == pytest.approx(3.0)
    assert trained(Lock(free=False)).slowdown is None


def test_a_training_that_ends_in_the_middle_gives_the_device_back() -> None:
    lock = Lock()
    trained(lock, WARM_UP + 1)
    assert lock.log[-1] == "shared"


@pytest.mark.parametrize("clocked", [True, False])
def test_a_real_training_says_its_slowdown_where_that_is_wanted_and_learns_the_same(clocked: bool) -> None:
    found = [
        run(evaluator(task=bars_task(64), of=config({"batch_size": 8, "epochs": 6})), replace(job(), clocked=each))[1]
        for each in (clocked, False)
    ]
    assert found[0].curve == found[1].curve
    assert ("slowdown" in found[0].conditions) == clocked
    if clocked:
        assert float(found[0].conditions["slowdown"]) > 0
    with DeviceLock(["cpu"]).exclusive("cpu") as alone:
        assert alone  # nothing is held any more


def test_what_is_measured_between_two_epochs_is_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    now, draft = 100.0, Draft([])
    monkeypatch.setattr(time, "perf_counter", lambda: now)

    def epochs() -> Iterator[Epoch]:
        nonlocal now
        for number in (1, 2):
            now += 3.0
            assert draft.trained_s == 5.0 * (number - 1) + 3.0  # in the middle of it
            now += 2.0
            yield Epoch(number, 1.0, 1.0, 0.5)

    for _ in _timed(epochs(), draft, Pulse(watched=False)):
        before = draft.trained_s
        now += 1000.0  # a latency is refined at a rung
        assert draft.trained_s == before
    assert draft.trained_s == draft.train_s == 10.0
