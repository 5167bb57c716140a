"""Cores near a GPU, by a tree as Linux has it in /sys, made by hand."""

import os
import sys
from pathlib import Path

import pytest

from evonas.measuring import cpu_affinity
from evonas.measuring.cpu_affinity import pinned
from evonas.measuring.numa import Nearby, near, near_bus

BUS = "00000000:C1:00.0"
"""As NVIDIA's library writes it; Linux has a shorter domain and small letters."""


def tree(root: Path, node: str, cores: str = "") -> Path:
    gpu = root / "bus/pci/devices/0000:c1:00.0"
    gpu.mkdir(parents=True)
    (gpu / "numa_node").write_text(f"{node}\n")
    if cores:
        (root / "devices/system/node/node1").mkdir(parents=True)
        (root / "devices/system/node/node1/cpulist").write_text(f"{cores}\n")
    return root


def test_cores_of_the_node_that_the_gpu_is_on(tmp_path: Path) -> None:
    found = near_bus(BUS, tree(tmp_path, "1", "32-34,96,98-99"))
    assert found == Nearby(frozenset({32, 33, 34, 96, 98, 99}), "node 1")
    assert near_bus("0000:c1:00.0", tmp_path) == found
    assert found.told([33]) == {"numa": "node 1"}
    assert found.told([33, 1]) == {"numa": "not on node 1, where the GPU is"}


@pytest.mark.parametrize(
    ("node", "cores", "said"),
    [
        ("-1", "0-3", "not known: the system names no node of the GPU"),
        ("1", "", "not known: the system does not say"),
        ("1", "0-x", "not known: the system does not say"),
        ("", "0-3", "not known: the system does not say"),
    ],
)
def test_where_the_system_does_not_say_all_cores_are_alike(tmp_path: Path, node: str, cores: str, said: str) -> None:
    found = near_bus(BUS, tree(tmp_path, node, cores))
    assert found == Nearby(frozenset(), said)
    assert found.told([0]) == {"numa": said}


def test_a_processor_is_near_itself_and_a_gpu_without_nvidias_library_says_so() -> None:
    assert near("cpu") is None
    gpu = near("GPU-that-is-not-there")
    assert gpu is not None
    assert gpu.told([0])["numa"].startswith("not known: NVIDIA's library")


@pytest.mark.skipif(sys.platform != "linux", reason="cores of threads are Linux's")
def test_a_core_near_the_gpu_is_taken_first_and_a_far_one_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of four cores, of which the last is taken where nothing is said."""
    chosen: list[set[int]] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cpu_affinity, "_threads", lambda: [0])
    monkeypatch.setattr(cpu_affinity, "_first_sibling", lambda core: core % 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda thread: chosen[-1] if chosen else set(range(8)))
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cores: chosen.append(set(cores)))
    for near_cores, threads, expected, said in (
        (set(), 1, {3}, "here"),
        ({0, 1, 4, 5}, 1, {1}, "here"),
        ({0, 1, 4, 5}, 3, {0, 4, 5} | {1}, "here"),
        ({0}, 2, {0, 3}, "not on here, where the GPU is"),
        ({9}, 1, {3}, "not on here, where the GPU is"),
    ):
        chosen.clear()
        with pinned(threads, Nearby(frozenset(near_cores), "here")) as had:
            assert chosen[0] <= expected, near_cores
            assert len(chosen[0]) == threads
            assert had["numa"] == said
    chosen.clear()
    held = cpu_affinity.claim_cores([1], 1)[1]
    with pinned(1, Nearby(frozenset({0, 1}), "here")):
        assert chosen[0] == {0}  # somebody measures on the other one
    os.close(held[0])
