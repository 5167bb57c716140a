"""Whether a daemon of NVIDIA's Multi-Process Service is there."""

import os
import socket
from pathlib import Path

import pytest

from evonas.ipc.environment import passed
from evonas.measuring.backends import mps


def test_a_control_pipe_is_what_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert not mps.is_running()
    (tmp_path / "control").touch()
    assert not mps.is_running()  # a plain file is what is left of something else
    (tmp_path / "control").unlink()
    os.mkfifo(tmp_path / "control")
    assert mps.is_running()


def test_it_is_looked_for_where_cuda_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    monkeypatch.setattr(mps, "PIPES", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(tmp_path / "control"))
        assert mps.is_running()


def test_a_worker_goes_through_the_daemon_that_its_machine_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/tmp/pipes")
    assert passed()["CUDA_MPS_PIPE_DIRECTORY"] == "/tmp/pipes"
