"""A Ray that a run has started for itself: its end is noticed, and nothing of it outlives the driver."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import ray

import evonas
from evonas.config import RuntimeConfig
from evonas.errors import Halted
from evonas.ipc.survivors import survivors
from evonas.runtime.ray_pool import own_ray, probe
from evonas.runtime.ray_pool.own_ray import OwnRay

ROOT = Path(__file__).parents[1]
WAITS = "import sys; sys.stdin.read()"
WATCHED = f"import sys; from evonas.ipc.survivors import Watcher; w = Watcher('ray::', sys.argv[1]); print(); {WAITS}"


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """Ends what a test has started."""
    with ExitStack() as ends:
        yield ends


def started(ends: ExitStack, words: list[str], **options: object) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(words, stdin=subprocess.PIPE, **options)  # type: ignore[call-overload]
    ends.callback(process.wait)
    ends.callback(process.kill)
    return process  # type: ignore[no-any-return]


@pytest.mark.parametrize("lost", ["raylet", "gcs_server", "monitor"])
def test_the_end_of_a_process_without_which_there_is_no_ray_stops_the_search(
    lost: str, processes: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_ray, "Watcher", lambda prefix, folder: None)
    children = {}
    for name in ("gcs_server", "monitor", "raylet"):
        (tmp_path / name).symlink_to(sys.executable)
        children[name] = started(processes, [str(tmp_path / name), "-S", "-c", WAITS])
    own = OwnRay([psutil.Process(child.pid) for child in children.values()], str(tmp_path))
    own.check()
    children[lost].kill()
    os.waitid(os.P_PID, children[lost].pid, os.WEXITED | os.WNOWAIT)
    if lost == "monitor":
        own.check()
    else:
        with pytest.raises(Halted, match=f"Ray cannot go on: its process {lost} .* was ended from outside"):
            own.check()


@pytest.mark.skipif(sys.platform != "linux", reason="on Linux alone")
def test_what_a_killed_driver_leaves_is_ended_and_nothing_else(processes: ExitStack, tmp_path: Path) -> None:
    folder, other = tmp_path / "session", tmp_path / "session-2"

    def ray_process(name: str, where: Path) -> "subprocess.Popen[bytes]":
        where.mkdir(exist_ok=True)
        with open(where / "log", "a") as log:
            return started(processes, [name, "-S", "-c", WAITS], executable=sys.executable, stdout=log)

    left = ray_process("ray::Agent", folder)
    others = [ray_process("ray::Agent", other), ray_process("a pager", folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = started(
        processes,
        [sys.executable, "-c", WATCHED, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert driver.stdout
    assert driver.stderr
    driver.stdout.readline()
    assert [*survivors("ray::", str(folder))] == [left.pid]
    driver.kill()
    assert left.wait() == -signal.SIGKILL
    assert driver.stderr.read() == b"", "the watcher, which has it too, has ended in peace"
    assert [process.poll() for process in others] == [None, None]


def test_the_ray_that_a_check_has_started_is_ended_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(probe, "connect", lambda config: SimpleNamespace(close=lambda: ended.append("own")))
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(gcs_address="127.0.0.1:1"))
    assert probe.join(RuntimeConfig()) == "127.0.0.1:1"
    assert not ended
    probe.leave()
    probe.leave()
    assert ended == ["own"]


CONFIG = """
space: {kind: mobile}
task: {kind: digits}
objectives: [{metric: error}, {metric: params}]
strategy: {population: 4}
training: {epochs: 1}
budget: {evaluations: 500}
runtime: {workers: 1}
"""


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["raylet", "gcs_server", "driver"])
def test_a_search_whose_ray_or_driver_is_killed(victim: str, processes: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    words = ["search", "config.yaml", "--run", "run"]
    search = started(
        processes,
        [sys.executable, "-m", "evonas", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    while not any(path.stat().st_size > 2000 for path in tmp_path.glob("run/journal/*")):
        assert search.poll() is None
        time.sleep(0.1)
    below = psutil.Process(search.pid).children(recursive=True)
    found = {child.name(): child for child in below}
    session = found["raylet"].cmdline()[1].partition("=")[2].partition("/sockets")[0]
    (search if victim == "driver" else found[victim]).kill()
    assert search.stderr
    errors = search.stderr.read().decode().splitlines()
    if victim == "driver":
        assert search.wait() == -signal.SIGKILL
    else:
        assert search.wait() == 1
        reason = f"Ray cannot go on: its process {victim} ({found[victim].pid}) was ended from outside or has crashed"
        go_on = shlex.join(["evonas", *words])
        assert errors[-2:] == [f"evonas: stopped: {reason}. To go on: {go_on}", "run: run"]
    _, alive = psutil.wait_procs(below, timeout=600)
    assert not alive
    assert not [*survivors("ray::", os.path.realpath(session))]
    assert evonas.load(tmp_path / "run").status()["evaluated"] > 0
