"""A GPU of which the total speed is a known function of the number of workers on it."""

import heapq
from collections.abc import Callable

import pytest

from evonas.records import Candidate, Epoch, Evaluation, Status
from evonas.runtime.ray_pool.gpu_sharing import MOST, ROUNDS, GpuSharing

CURVE = tuple(Epoch(epoch, 1.0, 1.0, 0.5) for epoch in (1, 2))


def evaluated(status: Status = Status.OK, memory_mb: float = 100.0, gpu_mb: str = "80000") -> Evaluation:
    metrics = {"macs": 1e6, "train_memory_mb": memory_mb}
    curve = CURVE if status is Status.OK else ()
    conditions = {"gpu_memory_mb": gpu_mb}
    return Evaluation(Candidate(0, (0,), (), "random", 0, 0), status, metrics, curve, conditions=conditions)


def run(speed: Callable[[int], float], candidates: int = 1000, gpus: int = 1, **each: object) -> GpuSharing:
    """speed: of a whole GPU with so many workers, in candidates a second; all take equally long."""
    now = 0.0
    packing = GpuSharing(clock=lambda: now)
    level, ends = 0, list[float]()
    for _ in range(candidates):
        if packing.level != level:  # workers of the new level begin, one after the other
            level = packing.level
            took = level / speed(level)
            ends = [now + took * (1 + worker / (level * gpus)) for worker in range(level * gpus)]
        now = heapq.heappop(ends)
        heapq.heappush(ends, now + took)
        packing.heard(evaluated(**each), gpus, level * gpus)  # type: ignore[arg-type]
    return packing


@pytest.mark.parametrize("gpus", [1, 3])
@pytest.mark.parametrize("full", [1, 2, 4])
def test_as_many_as_fill_it(full: int, gpus: int) -> None:
    assert run(lambda level: min(level, full), gpus=gpus).level == full


def test_more_that_get_in_each_others_way_are_taken_back() -> None:
    assert run(lambda level: {1: 1.0, 2: 1.7, 3: 1.2}.get(level, 0.5)).level == 2


def test_never_more_than_the_most() -> None:
    assert run(lambda level: level).level == MOST


def test_memory_is_a_bound() -> None:
    assert run(lambda level: level, memory_mb=9_400.0, gpu_mb="40000").level == 3


def test_a_candidate_that_runs_out_of_memory_takes_a_level_back_for_good() -> None:
    packing = run(lambda level: level, candidates=ROUNDS + 2)
    assert packing.level == 2
    packing.heard(evaluated(Status.FAILED_OOM), 1, 2)
    for _ in range(100):
        packing.heard(evaluated(), 1, 1)
    assert packing.level == 1


def test_so_does_one_long_after_the_level_was_found() -> None:
    packing = run(lambda level: min(level, 4))
    assert packing.level == 4
    packing.heard(evaluated(Status.FAILED_OOM), 1, 4)
    assert packing.level == 3


def test_machines_that_come_are_no_gain_of_a_level() -> None:
    now = 0.0
    packing = GpuSharing(clock=lambda: now)
    for candidate in range(1000):
        gpus = 1 + candidate // 100
        now += 1 / gpus  # however many workers share one
        packing.heard(evaluated(), gpus, packing.level * gpus)
    assert packing.level == 1


def test_workers_too_few_for_a_level_tell_nothing_of_it() -> None:
    now = 0.0
    packing = GpuSharing(clock=lambda: now)
    for _ in range(1000):
        now += 1.0
        packing.heard(evaluated(), 32, 16)
    assert packing.level == 1


def test_no_level_for_which_there_may_not_be_workers_enough() -> None:
    now = 0.0
    packing = GpuSharing(most=16, clock=lambda: now)
    for _ in range(1000):
        now += 1.0 / packing.level
        packing.heard(evaluated(), 10, 10 * packing.level)
    assert packing.level == 1


def test_workers_of_a_level_fit_on_a_gpu_together() -> None:
    packing = GpuSharing()
    for packing.level in range(1, MOST + 1):
        assert packing.level * packing.share <= 1
        assert (packing.level + 1) * packing.share > 1
