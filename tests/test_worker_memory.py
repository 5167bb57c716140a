"""What host memory a worker would get, before one is started: without a cluster."""

import pytest

from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.runtime.ray_pool.demand import Demand
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.worker_memory import LEAST_MB, check_memory

GB = 1e9
SMALL = ClusterNode("a", "host-a", {"CPU": 2.0, "memory": 16 * GB})
LARGE = ClusterNode("b", "host-b", {"CPU": 2.0, "GPU": 1.0, "memory": 256 * GB})


def test_shares_that_hold_no_worker_are_refused_with_the_largest_of_them() -> None:
    own = r"^runtime: 0\.00015 CPUs and 0 GPUs for a worker are a share of 1\.1 MB of the memory of host-a, and "
    with pytest.raises(UserError, match=rf"{own}a worker takes more than {LEAST_MB} MB"):
        check_memory(RuntimeConfig(cpus_per_worker=0.00015), [SMALL])
    check_memory(RuntimeConfig(cpus_per_worker=0.00015), [SMALL, LARGE])
    with pytest.raises(UserError, match="of the memory of host-b"):
        check_memory(RuntimeConfig(cpus_per_worker=0.0001), [SMALL, LARGE])


def test_a_node_without_the_gpu_counts_for_nothing() -> None:
    tiny = RuntimeConfig(cpus_per_worker=0.0001, gpus_per_worker=0.0001)
    card = ClusterNode("c", "host-c", {"CPU": 2.0, "GPU": 1.0, "memory": 100 * GB})
    with pytest.raises(UserError, match=r"0\.0001 CPUs and 0\.0001 GPUs .* of host-c"):
        check_memory(tiny, [ClusterNode("d", "host-d", {"CPU": 0.0002, "memory": 100 * GB}), card])
    check_memory(tiny, [SMALL])  # what it lacks is said elsewhere


@pytest.mark.parametrize("changes", [{}, {"cpus_per_worker": 0}, {"memory_mb_per_worker": 500}, {"cpus_per_worker": 9}])
def test_others_are_left_to_the_node(changes: dict[str, float]) -> None:
    check_memory(RuntimeConfig.model_validate({"cpus_per_worker": 0.01, **changes}), [SMALL])


def test_a_node_that_does_not_say_its_memory_may_have_enough() -> None:
    check_memory(RuntimeConfig(cpus_per_worker=0.0001), [SMALL, ClusterNode("d", "host-d", {"CPU": 2.0})])


def test_memory_that_is_asked_for_and_holds_no_worker_is_refused() -> None:
    with pytest.raises(UserError, match=r"^runtime\.memory_mb_per_worker: 1: a worker takes more than .* or auto$"):
        check_memory(RuntimeConfig(memory_mb_per_worker=1), [])


def demand(*nodes: ClusterNode, **options: object) -> Demand:
    found = Demand(RuntimeConfig.model_validate({"cpus_per_worker": 0.01, **options}))
    found.nodes.update(nodes, ())
    return found


def test_workers_that_share_a_cpu_fit_into_memory_together() -> None:
    tiny = demand(SMALL, LARGE, memory_mb_per_worker=500)
    assert tiny.workers == 16_000 // 500 + 200
    assert tiny.bound == (
        "runtime.memory_mb_per_worker: 400 workers of 500 MB do not fit into memory together: 232 workers; for more of "
        "them give less memory, or runtime.workers"
    )


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ({"memory_mb_per_worker": 50}, 200),  # they fit
        ({"memory_mb_per_worker": 12_000, "cpus_per_worker": 1}, 2),  # one a CPU: seldom do all take so much
        ({"memory_mb_per_worker": 500, "workers": 300}, 300),
        ({"memory_mb_per_worker": 500, "max_workers": 20}, 20),
        ({}, 200),  # each has its share
    ],
)
def test_of_others_memory_leaves_as_many_as_they_are(options: dict[str, object], workers: int) -> None:
    found = demand(SMALL, **options)
    assert (found.workers, found.bound) == (workers, "")


def test_more_than_one_a_cpu_are_bound_by_memory_and_never_below_that() -> None:
    assert demand(SMALL, memory_mb_per_worker=12_000, cpus_per_worker=0.25).workers == 2
    assert demand(ClusterNode("d", "host-d", {"CPU": 2.0}), memory_mb_per_worker=500).workers == 200, "it does not say"
