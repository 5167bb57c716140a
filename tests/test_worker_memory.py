"""What host memory a worker would get, before one is started: without a cluster."""

import pytest

from evonas.config import RuntimeConfig
from evonas.errors import UserError
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
