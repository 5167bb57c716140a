"""Which nodes get jobs: evaluated from what happens to jobs, without a cluster."""

import pytest

from evonas.runtime.ray_pool import nodes as module
from evonas.runtime.ray_pool.nodes import STRIKES, ClusterNode, Nodes

A, B, C = (ClusterNode(id, f"host-{id}", {"CPU": 4.0}) for id in "abc")


@pytest.fixture
def cluster() -> Nodes:
    found = Nodes({"CPU": 1.5, "GPU": 0})
    found.update([A, B, C], ())
    return found


def ids(cluster: Nodes) -> str:
    return "".join(node.id for node in cluster.usable)


def test_capacity_counts_whole_workers_a_node(cluster: Nodes) -> None:
    assert cluster.capacity == 3 * 2
    assert cluster.share("a") == pytest.approx(1.5 / 4)
    gpus = Nodes({"CPU": 1, "GPU": 0.5})
    gpus.update([A, ClusterNode("d", "d", {"CPU": 8.0, "GPU": 1.0})], ())
    assert gpus.capacity == 2
    assert gpus.share("d") == 0.5


def test_a_drained_node_gets_nothing_and_counts_for_nothing(cluster: Nodes) -> None:
    cluster.update([A, B, C], ["b"])
    assert (ids(cluster), cluster.avoided, cluster.capacity) == ("ac", ["b"], 4)
    assert cluster.leaves("b")
    assert cluster.lives("b")


def test_dead_nodes_are_gone_and_new_ones_are_there(cluster: Nodes) -> None:
    cluster.update([B, ClusterNode("d", "d", {"CPU": 2.0})], ())
    assert (ids(cluster), cluster.lives("a"), cluster.capacity) == ("bd", False, 3)


def test_a_silent_node_is_shunned_for_a_while(cluster: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.silent("a")
    assert (ids(cluster), cluster.avoided) == ("bc", ["a"])
    assert not cluster.leaves("a"), "what runs there may go on"
    monkeypatch.setattr(module.time, "monotonic", lambda: 10**9)
    assert ids(cluster) == "abc"


def test_where_all_are_silent_the_fault_may_be_ours(cluster: Nodes) -> None:
    for id in "abc":
        cluster.silent(id)
    assert ids(cluster) == "abc"


def test_a_node_that_keeps_crashing_jobs_is_set_aside(cluster: Nodes) -> None:
    for _ in range(STRIKES - 1):
        cluster.crashed("a")
    assert ids(cluster) == "abc"
    cluster.worked("a")
    for _ in range(STRIKES):
        assert ids(cluster) == "abc"
        cluster.crashed("a")
    assert (ids(cluster), cluster.aside) == ("bc", ["host-a"])
    assert cluster.leaves("a")


def test_the_last_node_is_never_set_aside(cluster: Nodes) -> None:
    for id in "abc":
        for _ in range(STRIKES):
            cluster.crashed(id)
    assert ids(cluster) == "c"


def test_where_only_a_node_set_aside_is_left_it_is_tried_again(cluster: Nodes) -> None:
    for _ in range(STRIKES):
        cluster.crashed("a")
    cluster.update([A], ())
    assert ids(cluster) == "a"
    assert not cluster.leaves("a")


def test_nodes_without_room_for_a_worker_do_not_count(cluster: Nodes) -> None:
    head = ClusterNode("h", "head", {"CPU": 0.0})
    cluster.update([head, A], ())
    assert ids(cluster) == "a"
    cluster.silent("a")
    assert ids(cluster) == "a", "there is no other"
    for _ in range(STRIKES):
        cluster.crashed("a")
    assert ids(cluster) == "a"


def test_a_node_on_which_no_worker_can_start_is_done_without_for_a_while(
    cluster: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.refused("b")
    assert (ids(cluster), cluster.capacity) == ("ac", 4)
    cluster.update([B], ())
    assert (ids(cluster), cluster.unfit) == ("", ["b"])
    monkeypatch.setattr(module.time, "monotonic", lambda: 10**9)
    assert (ids(cluster), cluster.unfit) == ("b", [])


@pytest.mark.parametrize(("share", "places"), [(0.25, 32), (0.3, 24), (0.4, 16), (0.6, 8), (0.7, 8), (0.0714, 112)])
def test_a_share_is_of_one_gpu(share: float, places: int) -> None:
    """As Ray places them; what is left of several GPUs together holds nobody, and workers that are asked for beyond
    that would wait for ever while an autoscaler buys machines for them."""
    cluster = Nodes({"CPU": 0.25, "GPU": share})
    cluster.update([ClusterNode("d", "d", {"CPU": 64.0, "GPU": 8.0})], ())
    assert cluster.capacity == places
