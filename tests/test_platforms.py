"""Systems other than Linux, as far as they can be simulated on it: what is not there is taken away."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import evonas
from evonas import machine
from evonas.cli import main
from evonas.config import Config
from evonas.doctor.dry_run import workers
from evonas.errors import UserError
from evonas.measuring import cpu_affinity
from evonas.runtime.sandbox import processes

WINDOWS = """
import argparse, importlib.metadata, os, signal, sys, sysconfig
sysconfig.get_paths()  # it reads files of the platform
sys.platform = "win32"
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "getuid", "killpg", "setsid", "register_at_fork"):
    delattr(os, name)
for name in ("SIGCHLD", "SIGKILL", "SIGUSR2", "pthread_kill"):
    delattr(signal, name)
from evonas.cli import main
sys.exit(main(["search", "config.yaml"]))
"""
CONFIG = {
    "space": {"kind": "mobile", "stages": 1, "widths": [4], "depths": [1]},
    "task": {"kind": "digits", "valid_fraction": 0.3, "test_fraction": 0.5},
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
    "targets": {"cpu": {"max_seconds": 0.05}},
    "strategy": {"population": 2},
    "training": {"epochs": 1},
    "budget": {"evaluations": 2},
    "runtime": {"kind": "serial"},
}


def test_windows_is_told_in_one_line(tmp_path: Path) -> None:
    """Nothing that Windows lacks is imported before."""
    environment = {**os.environ, "PYTHONPATH": str(Path(evonas.__file__).parents[1])}
    command = [sys.executable, "-c", WINDOWS]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    [line] = answer.stderr.splitlines()
    assert line.startswith("evonas: evonas cannot run on win32: it needs Linux")


def test_so_it_is_in_python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UserError, match="cannot run on win32"):
        evonas.search  # noqa: B018
    with pytest.raises(SystemExit):  # help is given anywhere
        main(["--help"])
    assert "search" in capsys.readouterr().out


@pytest.fixture
def without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """What macOS has neither."""
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(processes, "LINUX", False)
    monkeypatch.setattr(cpu_affinity, "_threads", list)


@pytest.mark.usefixtures("without_linux")
def test_a_serial_search_needs_nothing_of_linux(tmp_path: Path) -> None:
    run = evonas.search(CONFIG, run=tmp_path / "run")
    assert set(run.evaluations["status"]) == {"ok"}
    assert (run.evaluations["latency_ms[cpu]"] > 0).all()


@pytest.mark.usefixtures("without_linux")
def test_cores_are_counted_without_an_affinity() -> None:
    assert machine.machine_cores() >= 1
    assert workers(Config.model_validate({**CONFIG, "runtime": {"kind": "ray"}})) >= 1
