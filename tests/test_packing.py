"""A GPU of which the total speed is a known function of the number of workers on it."""

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from evonas.config import RuntimeConfig
from evonas.evaluation.gpu.step_clock import ALONE, SETTLE, WARM_UP
from evonas.evaluation.gpu.step_clock import LEAST as LEAST_BESIDE
from evonas.records import Candidate, Epoch, Evaluation, Status
from evonas.runtime.ray_pool.demand import Demand
from evonas.runtime.ray_pool.gpu_sharing import LEAST, LEVELS, SILENT, GpuSharing, share
from evonas.runtime.ray_pool.nodes import ClusterNode

Speed = Callable[[int], float]
"""(workers) -> what a whole GPU gets done, in multiples of one candidate alone on it."""


def evaluated(
    slowdown: float | None = 1.0, status: Status = Status.OK, memory_mb: float = 100.0, **conditions: str
) -> Evaluation:
    conditions = {"gpu_memory_mb": "80000", **conditions}
    told = {} if slowdown is None else {"slowdown": f"{slowdown:.4g}"}
    metrics = {"train_memory_mb": memory_mb}
    return Evaluation(Candidate(0, (0,), (), "random", 0, 0), status, metrics, conditions={**conditions, **told})


def run(
    speed: Speed, gpus: int = 1, *, sharing: GpuSharing | None = None, noise: float = 0.0, seed: int = 0, **each: object
) -> GpuSharing:
    """A thousand candidates, whose times are as unlike as those of random networks (a coefficient of variation of 1).
    A worker that begins before the others of its level has fewer beside it."""
    draws, sharing = random.Random(seed), sharing or GpuSharing()
    level, ends = 0, list[tuple[float, float, bool]]()
    now = 0.0

    def begin(beside: int, first: bool = False) -> None:
        slowdown = beside / speed(beside) * draws.lognormvariate(0, noise)
        heapq.heappush(ends, (now + draws.lognormvariate(0, 0.8) * slowdown, slowdown, first))

    for _ in range(1000):
        if sharing.level != level:  # workers of the new level begin, one after the other
            level, ends = sharing.level, []
            for worker in range(level * gpus):
                begin(1 + worker // gpus, first=True)
        now, slowdown, first = heapq.heappop(ends)
        sharing.heard(evaluated(slowdown, **each), gpus, level * gpus, first)  # type: ignore[arg-type]
        begin(level)
    return sharing


TRUTHS: dict[str, Speed] = {
    "linear to 8": lambda level: min(level, 8),
    "flat after 4": lambda level: {1: 1.0, 2: 1.9, 3: 2.7, 4: 3.4}.get(level, 3.4 + 0.02 * (level - 4)),
    "slow gain to 3 at 8": lambda level: min(3.0, 1 + 0.6 * (level - 1) - 0.045 * (level - 1) ** 2 if level < 7 else 3),
    "no gain": lambda level: 1.0,
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_what_is_found_is_worth_nine_tenths_of_the_best(truth: str) -> None:
    """With a tenth of noise in each slowdown, as beside small networks and large ones."""
    speed = TRUTHS[truth]
    found = [speed(run(speed, noise=0.1, seed=seed).level) for seed in range(40)]
    assert sum(found) / len(found) >= 0.9 * max(map(speed, LEVELS))


@pytest.mark.parametrize("gpus", [1, 3])
@pytest.mark.parametrize("full", LEVELS)
def test_as_many_as_fill_it(full: int, gpus: int) -> None:
    assert run(lambda level: min(level, full), gpus=gpus).level == full


def test_more_that_get_in_each_others_way_are_taken_back() -> None:
    assert run(lambda level: {1: 1.0, 2: 1.7}.get(level, 0.5)).level == 2


def test_workers_of_which_some_had_the_gpu_for_themselves_at_first_are_not_judged_by_that() -> None:
    """The first of the sixteen workers on eight GPUs train alone, which looks like twice the speed."""
    sharing = GpuSharing()
    for _ in range(LEAST):
        sharing.heard(evaluated(1.0), 8, 8)
    assert sharing.level == 2
    for _ in range(16):
        sharing.heard(evaluated(1.0), 8, 16, first=True)
    for _ in range(LEAST):
        sharing.heard(evaluated(2.0), 8, 16)
    assert sharing.level == 1


def test_it_wants_to_hear_no_more_once_it_knows() -> None:
    sharing = GpuSharing()
    assert sharing.judging
    assert not run(lambda level: 1.0, sharing=sharing).judging


def test_who_tells_no_slowdown_shares_nothing_and_that_is_said() -> None:
    demand = Demand(RuntimeConfig(gpus_per_worker="auto"))
    demand.nodes.update([ClusterNode("a", "a", {"CPU": 8.0, "GPU": 1.0})], ())
    curve = (Epoch(1, 1.0, 1.0, 0.5),)
    for number in range(2 * SILENT):
        assert bool(demand.notes) == (number >= SILENT)
        demand.learn(replace(evaluated(None), curve=curve), 1.0, 1)
    assert "fewer than 38 steps" in demand.notes[0]
    assert WARM_UP + SETTLE + ALONE + LEAST_BESIDE == 38
    demand.learn(evaluated(1.0), 1.0, 1)
    assert (demand.gpus, demand.notes) == (1.0, [])


def test_memory_is_a_bound() -> None:
    """600 MB are the process's own."""
    assert run(lambda level: level, memory_mb=9_400.0, gpu_memory_mb="40000").level == 3


def test_each_process_has_the_data_set_besides() -> None:
    each = {"memory_mb": 1_400.0, "gpu_memory_mb": "80000"}
    assert run(lambda level: level, **each).level == max(LEVELS)
    assert run(lambda level: level, gpu_data_mb="16000", **each).level == 4


def test_the_smallest_gpu_counts_and_not_the_last() -> None:
    sharing = GpuSharing()
    sharing.heard(evaluated(memory_mb=9_400.0, gpu_memory_mb="24000"), 2, 2)
    assert run(lambda level: level, sharing=sharing, memory_mb=9_400.0).level == 2


def test_a_candidate_that_runs_out_of_memory_takes_a_level_back_for_good() -> None:
    sharing = GpuSharing()
    for _ in range(LEAST):
        sharing.heard(evaluated(), 1, 1)
    assert sharing.level == 2
    sharing.heard(evaluated(None, Status.FAILED_OOM), 1, 2)
    for _ in range(100):
        sharing.heard(evaluated(), 1, 1)
    assert sharing.level == 1


def test_so_does_one_long_after_the_level_was_found() -> None:
    sharing = run(lambda level: min(level, 4))
    assert sharing.level == 4
    sharing.heard(evaluated(None, Status.FAILED_OOM), 1, 4)
    assert sharing.level == 2


def test_machines_that_come_are_no_gain_of_a_level() -> None:
    sharing = GpuSharing()
    for candidate in range(1000):
        gpus = 1 + candidate // 100
        sharing.heard(evaluated(sharing.level), gpus, sharing.level * gpus)
    assert sharing.level == 1


def test_workers_too_few_for_a_level_tell_nothing_of_it() -> None:
    sharing = GpuSharing()
    for _ in range(1000):
        sharing.heard(evaluated(), 32, 16)
    assert sharing.level == 1


def test_no_level_for_which_there_may_not_be_workers_enough() -> None:
    assert run(lambda level: level, gpus=10, sharing=GpuSharing(most=16)).level == 1


@pytest.mark.parametrize(("cpus", "level"), [(4, 1), (8, 2), (24, 6), (64, 14)])
def test_no_level_that_the_cpus_do_not_hold(cpus: int, level: int) -> None:
    config = RuntimeConfig.model_validate({"gpus_per_worker": "auto", "cpus_per_worker": 4})
    demand = Demand(config)
    demand.nodes.update([ClusterNode(id, id, {"CPU": float(cpus), "GPU": 1.0}) for id in "ab"], ())
    for _ in range(1000):
        demand.learn(evaluated(), demand.gpus, demand.nodes.capacity)
    assert demand.nodes.capacity == 2 * level
    assert demand.gpus == share(level)


@pytest.mark.parametrize("level", range(1, max(LEVELS) + 1))
def test_workers_of_a_level_fit_on_a_gpu_together(level: int) -> None:
    assert level * share(level) <= 1
    assert (level + 1) * share(level) > 1
    assert math.floor(1 / share(level)) == level


@pytest.mark.parametrize(
    ("asked", "shares", "workers"), [(0.25, 0.25, 32), (0.3, 0.3333, 24), (0.4, 0.5, 16), (0.6, 1.0, 8), (0.7, 1.0, 8)]
)
def test_a_share_that_does_not_divide_a_gpu_is_rounded_and_that_is_said(
    asked: float, shares: float, workers: int
) -> None:
    demand = Demand(RuntimeConfig(gpus_per_worker=asked, cpus_per_worker=1))
    demand.nodes.update([ClusterNode("a", "a", {"CPU": 64.0, "GPU": 8.0})], ())
    assert (demand.gpus, demand.nodes.capacity) == (shares, workers)
    expected = f"{asked} does not divide a GPU, of which a worker is on one: {workers // 8} worker"
    assert (expected in demand.remark) == (asked != shares)
