"""How a Ray of a run of its own starts: with the cores it may use, with short paths, and again where it was too slow.

Ray itself is not started here.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import ray
from ray import _raylet
from ray._private import services
from ray._private.node import Node

from evonas import machine
from evonas.config import RuntimeConfig
from evonas.errors import RuntimeNotStarted, UserError
from evonas.machine import machine_cores
from evonas.runtime.ray_pool import cluster
from evonas.runtime.ray_pool.lean_ray import UNUSED, idle_agent, lean_ray

NODE = "ab" * 28
KINDS = ("--dashboard_agent_command", "--runtime_env_agent_command")
PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the control groups of this machine are looked for; there are none."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    return tmp_path


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("100000 100000", 1),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 16),
        ("6400000 100000", 16),
        ("", 16),
    ],
)
def test_the_quota_of_a_container_counts(quota: str, cores: int, groups: Path) -> None:
    (groups / "cpu.max").write_text(quota)
    assert machine_cores() == cores


@pytest.mark.parametrize(("quota", "cores"), [("150000", 1), ("-1", 16), ("400000", 4)])
def test_so_does_one_of_version_1(quota: str, cores: int, groups: Path) -> None:
    (groups / "cpu").mkdir()
    (groups / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (groups / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert machine_cores() == cores


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Ray was asked for, each time; it starts at once."""
    calls: list[dict[str, Any]] = []

    def init(**options: Any) -> Any:
        calls.append(options)
        return SimpleNamespace(address_info={"session_dir": ""})

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(cluster, "OwnRay", lambda children, folder: None)
    return calls


def test_ray_gets_the_cores_of_the_quota_or_as_many_as_are_asked_for(asked: list[dict[str, Any]], groups: Path) -> None:
    (groups / "cpu.max").write_text("300000 100000")
    cluster.connect(RuntimeConfig(workers="auto"))
    cluster.connect(RuntimeConfig(workers=5))
    assert [call["num_cpus"] for call in asked] == [3, 5]


def test_a_long_folder_for_temporary_files_is_not_rays(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    for folder in ("/tmp", "/scratch/slurm/" + "job" * 30):
        monkeypatch.setenv("TMPDIR", folder)
        cluster.connect(RuntimeConfig())
    assert [call["_temp_dir"] for call in asked] == [None, f"/tmp/ray-{os.getuid()}"]
    session = "/session_2026-11-28_20-19-26_123456_1234567/sockets/plasma_store"
    assert len("x" * cluster.LONGEST_FOLDER + "/ray" + session) <= 107


def test_processes_that_a_search_makes_no_use_of_are_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    before, found = vars(Node).copy(), []

    def init(**options: Any) -> Any:
        found.extend(name for name in UNUSED if vars(Node)[name](None, include_dashboard=False) is None)
        return SimpleNamespace(address_info={"session_dir": ""})

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(cluster, "OwnRay", lambda children, folder: None)
    cluster.connect(RuntimeConfig())
    assert found == [*UNUSED]
    assert vars(Node) == before


@pytest.mark.parametrize("has_ports", [True, False])
def test_the_agent_of_a_dashboard_is_idle_where_this_ray_takes_that(
    has_ports: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(services, "start_ray_process", lambda words: started.append(words))
    if not has_ports:
        monkeypatch.delattr(_raylet, "persist_port")
    agents = [f"{kind}=python -u {tmp_path}/agent.py --session-dir={tmp_path} --node-id={NODE}" for kind in KINDS]
    before = services.start_ray_process
    with lean_ray():
        services.start_ray_process(["raylet", *agents])
    assert services.start_ray_process is before
    [(_, dashboards, environments)] = started
    assert environments == agents[1], "a job may ask for an environment"
    ports = {path.name: path.read_text() for path in tmp_path.iterdir()}
    if has_ports:
        assert "idle_agent.py" in dashboards
        assert ports == {f"{name}_{NODE}": "-1" for name in PORTS}
    else:
        assert (dashboards, ports) == (agents[0], {})


@pytest.mark.skipif(sys.platform != "linux", reason="on Linux alone")
def test_an_idle_agent_ends_with_its_raylet() -> None:
    code = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, *idle_agent()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as raylet:
        assert raylet.stdout
        agent = psutil.Process(int(raylet.stdout.readline()))
        while "idle_agent.py" not in " ".join(agent.cmdline()) or agent.status() != psutil.STATUS_SLEEPING:
            time.sleep(0.01)
        raylet.kill()
    psutil.wait_procs([agent], timeout=600)
    assert not agent.is_running()


def test_a_ray_that_is_too_slow_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def slow(**options: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise Exception("The current node timed out during startup. This could happen because ...")
        return SimpleNamespace(address_info={"session_dir": ""})

    monkeypatch.setattr(ray, "init", slow)
    monkeypatch.setattr(cluster, "OwnRay", lambda children, folder: None)
    cluster.connect(RuntimeConfig())
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr(cluster, "STARTS", 2)
    with pytest.raises(
        RuntimeNotStarted, match="Ray did not start in 2 tries of half a minute: the machine is too busy"
    ):
        cluster.connect(RuntimeConfig())


def test_another_fault_of_ray_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**options: Any) -> None:
        raise ConnectionError("no such\ncluster")

    monkeypatch.setattr(ray, "init", broken)
    with pytest.raises(UserError, match="no Ray cluster at 'local': no such cluster"):
        cluster.connect(RuntimeConfig())
