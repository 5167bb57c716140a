"""What a worker may take of a GPU that it shares, on a GPU that is made up."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from evonas.evaluation.gpu.memory import GpuMemory
from evonas.ipc import gpu_share
from evonas.measuring.device_lock import DeviceLock

GPU = torch.device("cuda")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What torch's allocator is told, in order."""
    found: list[str] = []
    cuda = torch.cuda
    monkeypatch.setattr(cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=60e9))
    monkeypatch.setattr(cuda, "set_per_process_memory_fraction", lambda part, _: found.append(f"at most {part:.4g}"))
    monkeypatch.setattr(cuda, "empty_cache", lambda: found.append("empty"))
    return found


def test_a_share_is_limited_before_anything_is_taken_and_cleaned_up_behind_each_candidate(said: list[str]) -> None:
    memory = GpuMemory(GPU, 0.25)
    memory.tidy()
    memory.lend()
    assert said == ["at most 0.2275", "empty", "empty"]


def test_alone_it_has_all_of_it(said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    memory, lock = GpuMemory(GPU, 0.25), DeviceLock(["cpu", "card"])
    with memory.alone(lock, "card"):
        assert DeviceLock(["card"]).measuring() is not None
        said.append("train")
    assert DeviceLock(["card"]).measuring() is None
    assert said == ["at most 0.2275", "at most 1", "train", "empty", "at most 0.2275"]


def test_who_shares_nothing_is_left_alone(said: list[str]) -> None:
    for memory in (GpuMemory(GPU, 1.0), GpuMemory(torch.device("cpu"), 0.5)):
        memory.tidy()
        memory.lend()
    assert not said


def test_what_a_user_has_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64")
    assert gpu_share.variables(0.5) == {"EVONAS_GPU_SHARE": "0.5"}
    assert gpu_share.variables(1) == gpu_share.variables(0) == gpu_share.variables(2) == {}
