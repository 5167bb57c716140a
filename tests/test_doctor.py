"""The doctor: each fault is planted once and found, and nothing stays behind.

What needs Ray runs in processes of its own against a cluster of their own, as Ray keeps its authentication for the
life of a process.
"""

import dataclasses
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from evonas import doctor
from evonas.components import assemble
from evonas.config import Config, RuntimeConfig, TrainingConfig
from evonas.config.loading import load_config
from evonas.doctor import Context, Finding, cluster, examining, gpus, needs, targets, throughput
from evonas.errors import UserError
from evonas.measuring.remote.server import serve_here
from evonas.run_identity.describing import describe, versions
from evonas.runtime.ray_pool import asking
from evonas.runtime.ray_pool.asking import Answer
from evonas.runtime.ray_pool.cluster import connect
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.nvidia_smi import Gpu
from evonas.runtime.ray_pool.probe import Seen
from evonas.store import Store, create_run, evaluations_schema, open_folder
from evonas.store.folder import LocalFolder
from tests.baselines import share

ROOT = Path(__file__).parents[1]
OURS = ("2.60.0", "3.11.7")
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}
HEAD = """
import sys
from tests.clusters import LEAN, PatientCluster
head = {"num_cpus": 1, "num_gpus": 1, "resources": {"board": 1}}
cluster = PatientCluster(initialize_head=True, head_node_args={**LEAN, **head})
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
DOCTOR = """
import dataclasses, json, sys
from evonas.doctor import examine
for finding in examine(**json.loads(sys.argv[1])):
    print(json.dumps(dataclasses.asdict(finding)))
"""
SEARCH: dict[str, Any] = {
    "space": {"kind": "cell", "stages": 1, "channels": [4, 6]},
    "task": {"kind": "digits", "valid_fraction": 0.3, "test_fraction": 0.5},
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
    "targets": {"cpu": {"max_seconds": 0.02}},
    "strategy": {"population": 4},
    "training": {"epochs": 4, "rungs": [2]},
    "budget": {"evaluations": 8},
    "runtime": {"kind": "serial"},
}


def config(**changes: Any) -> Config:
    return load_config({**SEARCH, **changes})


def write(folder: Path, **changes: Any) -> str:
    (folder / "config.yaml").write_text(json.dumps({**SEARCH, **changes}))
    return str(folder / "config.yaml")


def node(name: str = "here", **resources: float) -> ClusterNode:
    return ClusterNode(name, name, {"CPU": 2.0, **resources})


def states(findings: Any) -> dict[str, str]:
    """The worst state of each name."""
    order = ["ok", "note", "error"]
    found: dict[str, str] = {}
    for finding in findings:
        found[finding.name] = max(found.get(finding.name, "ok"), finding.state, key=order.index)
    return found


def the(findings: Any, name: str) -> Finding:
    """The finding of a name that is no tick; else the first."""
    of_name = [finding for finding in findings if finding.name == name]
    return next((finding for finding in of_name if finding.state != "ok"), of_name[0])


@pytest.fixture(autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements of this process meet nobody's else on this machine."""
    folder = tmp_path_factory.mktemp("t")
    share(folder)
    monkeypatch.setattr("tempfile.tempdir", str(folder))


# A cluster


@contextmanager
def cluster_in(folder: Path, auth: Mapping[str, str], binaries: Path) -> Iterator[dict[str, str]]:
    """The environment of its drivers, with its address under ADDRESS."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    short = tempfile.mkdtemp(prefix="r", dir=os.environ["TMPDIR"])  # the names of Ray's sockets must fit into 107 bytes
    environment |= {"HOME": str(folder / "home"), "RAY_TMPDIR": short}
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    (folder / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559'\n")
    (folder / "nvidia-smi").chmod(0o755)
    environment["TMPDIR"] = str(folder / "tmp")  # measurements elsewhere on this machine are not waited for
    share(folder / "tmp")
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [binaries / "run-code", HEAD], env={**environment, **auth}, cwd=ROOT, stdin=pipe, stdout=pipe, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        yield {**environment, "ADDRESS": process.stdout.readline().strip()}
    finally:
        process.stdin.close()
        process.wait(600)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, binaries: Path) -> Iterator[dict[str, str]]:
    """One node of a CPU, a GPU and a board, that asks for a token. The GPU is only said to be there."""
    with cluster_in(tmp_path_factory.mktemp("g"), TOKEN, binaries) as environment:
        yield environment


def examined(binaries: Path, environment: Mapping[str, str], **options: Any) -> list[Finding]:
    """By a driver in a process of its own."""
    command = [str(binaries / "run-code"), DOCTOR, json.dumps(options)]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [Finding(**json.loads(row)) for row in done.stdout.splitlines() if row.startswith("{")]


def test_a_good_cluster_gets_ticks_and_keeps_nothing(binaries: Path, guarded: dict[str, str], tmp_path: Path) -> None:
    targets = {"cpu": {"max_seconds": 0.02}, "far": {"resource": "board", "max_seconds": 0.02, "quiet": False}}
    objectives = [*SEARCH["objectives"], {"metric": "latency_ms", "target": "far"}]
    path = write(tmp_path, targets=targets, objectives=objectives, runtime={"kind": "ray"})
    found = examined(
        binaries, guarded | TOKEN, config=path, address=guarded["ADDRESS"], run=str(tmp_path / "a" / "run")
    )
    assert {name for name, state in states(found).items() if state != "ok"} == {"GPUs", "cost"}, found
    assert next(each for each in found if each.name == "cost").text.startswith("not known: no price of ")
    assert list(states(found)) == [
        "Ray", "authentication", "nodes", "GPUs", "disk", "versions", "clocks",
        "run folder", "data", "target far", "worker", "target cpu", "speed", "cost",
    ]  # fmt: skip
    assert guarded["ADDRESS"] in the(found, "Ray").text
    assert found[3].text == "1 x NVIDIA H100 80GB HBM3 80 GiB"
    assert the(found, "GPUs").text.endswith("has a GPU, and a torch that is built for the CPU")
    assert "refused a connection without a token" in the(found, "authentication").text
    assert "candidates a day on 1 worker (" in the(found, "speed").text
    assert os.listdir(tmp_path) == ["config.yaml"]


def test_faults_of_a_cluster_are_all_found_at_once(binaries: Path, guarded: dict[str, str], tmp_path: Path) -> None:
    places = {"cpu": {"max_seconds": 0.02}, "far": {"resource": "bord"}, "near": {"resource": "board", "threads": 4096}}
    measured = [{"metric": "latency_ms", "target": target} for target in ("far", "near")]
    runtime = {"kind": "ray", "gpus_per_worker": 1, "cpus_per_worker": 2}
    path = write(tmp_path, targets=places, objectives=[*SEARCH["objectives"], *measured], runtime=runtime)
    found = examined(binaries, guarded | TOKEN, config=path, address=guarded["ADDRESS"], run=path + "/run")
    crosses = {name for name, state in states(found).items() if state == "error"}
    assert crosses == {"GPUs", "run folder", "target far", "target near", "worker"}
    assert "has a GPU, and a torch that is built for the CPU" in the(found, "GPUs").text
    assert "no node has the custom resource bord; there are: board" in the(found, "target far").text
    assert the(found, "target near").text.startswith("targets.near.threads: 4096 are more than the ")
    assert "the cluster has 1 CPUs, 1 GPUs and board" in the(found, "worker").text
    assert all(finding.remedy for finding in found if finding.state == "error")
    assert the(found, "speed").state == "note"


def test_a_board_that_the_cluster_starts_when_a_search_asks_is_no_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(config(), config().runtime, joined=True)
    for machines, state in ((["board"], "note"), (["CPU"], "error"), (None, "error")):
        monkeypatch.setattr(targets, "startable", lambda said=machines: said)
        assert targets._resource(context, "far", "board").state == state
    assert context.away == {"far"}


def test_more_threads_of_a_target_than_its_nodes_have_cores_are_a_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of them has enough, it is a note; where nothing is known of one, it may have."""
    own = config(targets={"far": {"resource": "board", "threads": 8}})
    monkeypatch.setattr("evonas.runtime.ray_pool.probe.unused", lambda name: 1.0)
    nodes = [node("pi", board=1.0), node("server", board=1.0), node("other")]

    def found(*cores: int | None) -> tuple[Finding, set[str]]:
        seen = [Seen(each, {}, cores=own) for each, own in zip(nodes, cores, strict=True)]
        context = Context(own, own.runtime, joined=True, nodes=nodes, seen=seen)
        return targets._resource(context, "far", "board"), context.away

    cross, away = found(2, 4, 64)
    said = "targets.far.threads: 8 are more than the 4 cores that a process may use on server: they take turns"
    assert (cross.name, cross.state, away) == ("target far", "error", {"far"})
    assert cross.text == f"{said}, which is another time than the device's"
    assert cross.remedy == "give at most 4, or measure on a machine with more cores"
    some, away = found(2, 8, 1)
    assert (some.state, away) == ("note", set())
    assert "the 2 cores that a process may use on pi" in some.text
    assert some.text.endswith("; others that have the resource measure")
    assert [found(*cores)[0].state for cores in ((8, 8, 1), (None, None, None), (2, None, 1))] == ["ok", "ok", "note"]


def test_without_the_token_there_is_one_cross_and_no_waiting(binaries: Path, guarded: dict[str, str]) -> None:
    found = examined(binaries, guarded, address=guarded["ADDRESS"])
    assert states(found).pop("Ray") == "error"
    assert "RAY_AUTH_MODE=token" in the(found, "Ray").remedy
    assert the(found, "authentication").state == "ok"
    assert {the(found, name).state for name in ("nodes", "GPUs", "versions", "clocks")} == {"note"}


@pytest.mark.slow
def test_a_cluster_that_asks_for_no_token_takes_us_without_one(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, binaries: Path
) -> None:
    with cluster_in(tmp_path_factory.mktemp("o"), {"RAY_AUTH_MODE": "disabled"}, binaries) as environment:
        address = environment["ADDRESS"]
        for name, value in TOKEN.items():
            monkeypatch.setenv(name, value)
        answer = asking.ask(address, token=False)
    assert answer == Answer(taken=True, ray=answer.ray, python=answer.python)
    assert answer.ray
    assert cluster.refusal(address, answer, asking.versions()) is None


# What is made of an answer


@pytest.mark.parametrize(
    "how", ["RAY_AUTH_TOKEN is empty", "RAY_AUTH_TOKEN is not set", "none cannot be read", "is empty;"]
)
def test_a_token_that_is_not_there_is_said_before_ray_ends_over_it(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "HOME": str(tmp_path),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "" if how.endswith("N is empty") else None,
    }
    values["RAY_AUTH_TOKEN_PATH"] = str(tmp_path / "none") if how.startswith("none") else None
    for name, value in values.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    if how == "is empty;":
        file.write_text("\n")
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        text, remedy = asking.refusal(address, asking.ask(address, token=True), asking.versions()) or ("", "")
        assert text.startswith("RAY_AUTH_MODE is token and there is none here: RAY_AUTH_TOKEN is ")
        assert (how in f"{text}; {remedy}", "RAY_AUTH_TOKEN" in remedy) == (True, True)
        with pytest.raises(UserError, match=re.escape(text)):
            connect(RuntimeConfig(address=address))
    (tmp_path / "none").write_text("x")
    file.write_text("x")
    assert asking.no_token() == ""


def test_no_token_is_a_cross_unless_all_is_on_loopback() -> None:
    open_to_all = cluster.judged("10.0.0.5:6379", Answer(taken=True), ["10.0.0.5"])
    assert open_to_all.state == "error"
    assert "RAY_AUTH_MODE=token" in open_to_all.remedy
    assert cluster.judged("127.0.0.1:6379", Answer(taken=True), ["127.0.0.1", "10.0.0.5"]).state == "error"
    assert cluster.judged("cluster.example:6379", Answer(taken=True), ["cluster.example"]).state == "error"
    assert cluster.judged("127.0.0.1:6379", Answer(taken=True), ["127.0.0.1", "localhost", "[::1]"]).state == "note"
    assert cluster.judged("10.0.0.5:6379", Answer(refused="no"), ["10.0.0.5"]).state == "ok"
    assert cluster.judged("10.0.0.5:6379", Answer(why="no answer"), ["10.0.0.5"]).state == "note"


def test_another_ray_or_python_is_a_cross_before_ray_is_joined() -> None:
    assert cluster.refusal("h:1", Answer(True, ray="2.60.0", python="3.11.7"), OURS) is None
    for other in (Answer(True, ray="2.59.1", python="3.11.7"), Answer(True, ray="2.60.0", python="3.12.0")):
        found = cluster.refusal("h:1", other, OURS)
        assert found
        assert f"the cluster has Ray {other.ray} and Python {other.python}" in found.text


def test_nobody_at_the_address() -> None:
    found = list(doctor.examine(address="127.0.0.1:9"))
    assert states(found).pop("Ray") == "error"
    assert "no Ray cluster at '127.0.0.1:9'" in the(found, "Ray").text
    assert {finding.state for finding in found if finding.name != "Ray"} == {"note"}


@pytest.mark.parametrize(
    "options",
    [
        {"address": "127.0.0.1"},
        {"address": "host:port"},
        {"config": "nowhere.yaml"},
        {"overrides": ["strategy.populatoin=4"]},
        {"overrides": ["task.kind=digit"]},
        {"overrides": ["space.kind=cel"]},
    ],
)
def test_wrong_input_is_an_error_and_no_cross(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError):
        doctor.examine(**{"config": write(tmp_path), **options})


def test_versions_are_compared_node_by_node() -> None:
    ours = {"ray": "2.60.0", "torch": "2.13.0+cpu"}
    good = Seen(node("a"), {"ray": "2.60.0", "torch": "2.13.0+cu130"})
    assert states(cluster.compared([good], ours)) == {"versions": "ok"}
    found = list(cluster.compared([good, Seen(node("b"), {"ray": "2.60.0", "torch": "2.12.0"})], ours))
    assert [(f.state, f.text) for f in found] == [("error", "b has torch 2.12.0, the driver 2.13.0+cpu")]
    found = list(cluster.compared([Seen(node("c"), {"ray": "2.60.0", "torch": ""})], ours))
    assert [(f.text, f.remedy) for f in found] == [("c has no torch", "install torch 2.13.0 there")]
    assert {*cluster.NEEDED} <= versions().keys()


@pytest.mark.parametrize(("skew_s", "state"), [(0.5, "ok"), (-1.5, "note"), (59.0, "note"), (-61.0, "error")])
def test_clocks(skew_s: float, state: str) -> None:
    assert states(cluster.judged_clocks([Seen(node(), {}, skew_s=skew_s)])) == {"clocks": state}
    slow = Seen(node(), {}, skew_s=2.0, error_s=1.5)
    assert states(cluster.judged_clocks([slow])) == {"clocks": "ok"}  # not known to be off


def test_gpus_of_ray_and_of_the_machine() -> None:
    def found(wanted: float, counted: float, listed: int) -> Finding:
        there = node(GPU=counted)
        seen = [Seen(there, {}, (Gpu("H100", 80 * 1024),) * listed)]
        context = Context(None, RuntimeConfig(gpus_per_worker=wanted), joined=True, nodes=[there], seen=seen)
        return next(gpus.gpus(context))

    assert found(1, 2, 2) == Finding("GPUs", "ok", "2 x H100 80 GiB")
    assert found(0, 0, 0).state == "ok"
    assert found(0, 0, 2).state == "note"
    assert found(1, 0, 2).state == "error"


# Run folder, data, servers


def tried(run: str | Path, **options: Any) -> list[Finding]:
    return list(needs.folder(Context(None, RuntimeConfig(), run=str(run), **options)))


def test_a_run_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert "(new)" in the(tried(tmp_path / "a" / "b"), "run folder").text
    assert os.listdir(tmp_path) == []
    create_run(open_folder(tmp_path), {})
    before = sorted(os.listdir(tmp_path))
    assert "(holds a run)" in the(tried(tmp_path), "run folder").text
    assert sorted(os.listdir(tmp_path)) == before


def test_a_folder_that_a_search_writes_to_is_not_touched(tmp_path: Path) -> None:
    store = Store(open_folder(tmp_path), evaluations_schema((), ()))
    found = tried(tmp_path)
    assert states(found) == {"run folder": "note"}
    assert open_folder(tmp_path).is_locked()
    store.close()


def test_a_folder_that_cannot_be_made_is_a_cross(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for run in (tmp_path / "file" / "run", Path("/proc/run")):
        assert states(tried(run)) == {"run folder": "error"}


def test_a_folder_that_replaces_files_is_a_cross(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalFolder, "create", lambda self, name, data: (self.root / name).write_bytes(data))
    with pytest.raises(UserError, match="replaced a file"):
        needs.try_inside(tmp_path)
    assert os.listdir(tmp_path) == []


def test_serial_searches_are_tried_in_this_process(tmp_path: Path) -> None:
    found = list(doctor.examine(write(tmp_path), run=str(tmp_path / "run")))
    assert "error" not in states(found).values(), found
    assert the(found, "Ray").state == "note"
    assert the(found, "speed").state == "ok"
    assert os.listdir(tmp_path) == ["config.yaml"]


def test_another_search_in_the_folder_is_a_cross(tmp_path: Path) -> None:
    create_run(open_folder(tmp_path / "run"), describe(assemble(config(seed=1))))
    context = Context(config(), config().runtime, run=str(tmp_path / "run"))
    assert "seed is 1 there, 0 here" in the(needs.data(context), "run folder").text


def test_missing_data_and_a_server_that_is_away(tmp_path: Path) -> None:
    task = {"kind": "npz", "path": str(tmp_path / "none.npz")}
    found = list(doctor.examine(write(tmp_path, task=task), run=str(tmp_path / "run")))
    assert {name for name, state in states(found).items() if state == "error"} == {"data"}
    assert "none.npz" in the(found, "data").text
    assert the(found, "worker").state == the(found, "speed").state == "note"


def with_server(monkeypatch: pytest.MonkeyPatch, address: str, token: str) -> Context:
    monkeypatch.setenv("EVONAS_TOKEN", token)
    found = config(targets={"cpu": {"address": address, "max_seconds": 0.2}})
    context = Context(found, found.runtime)
    assert states(needs.data(context))["data"] == "ok"
    return context


def test_a_server_that_is_away_and_one_with_another_token(monkeypatch: pytest.MonkeyPatch) -> None:
    place = serve_here("127.0.0.1")
    for address, token, state in (
        (place.url, place.token, "ok"),
        (place.url, "another", "error"),
        ("http://127.0.0.1:9", place.token, "error"),
    ):
        context = with_server(monkeypatch, address, token)
        found = list(targets.remote_targets(context))
        assert states(found) == {"target cpu": state}, found
        assert context.away == ({"cpu"} if state == "error" else set())


# How fast


def test_mean_epochs_of_a_candidate() -> None:
    assert TrainingConfig(epochs=12).mean_epochs == 12
    assert TrainingConfig(epochs=12, rungs=(2, 4), promote=0.5).mean_epochs == 2 + 0.5 * 2 + 0.25 * 8


def test_candidates_a_day() -> None:
    """1 s of measuring, 3 s of training."""
    assert throughput.per_day(1, 3, [1], "machine") == throughput.DAY_S / 4
    assert throughput.per_day(1, 3, [2, 0, 2], "") == throughput.DAY_S
    assert throughput.per_day(1, 3, [3, 3], "machine") == throughput.DAY_S  # a machine with three decides one every 2 s
    assert throughput.per_day(1, 3, [100], "board") == throughput.DAY_S  # one at a time on the board


def test_what_a_network_costs_that_is_not_trained_to_the_end() -> None:
    """5 s to the first epoch, 2 s from there to the second: 3 s of measuring; 4 epochs in the mean."""
    assert throughput._cost({1: 5.0, 2: 7.0}, None, 4) == [(3.0, 8.0)]
    assert throughput._cost({1: 5.0}, None, 4) == []


def test_workers_of_each_node() -> None:
    machines = [node("a"), node("b", CPU=4.0), node("c", CPU=0.0)]
    assert throughput.rooms(RuntimeConfig(), machines) == [2, 4, 0]
    assert throughput.rooms(RuntimeConfig(workers=3), machines) == [2, 1, 0]
    assert throughput.rooms(RuntimeConfig(max_workers=5), machines) == [2, 3, 0]
    assert throughput.rooms(RuntimeConfig(gpus_per_worker=1), machines) == [0, 0, 0]
    shared = [node("d", CPU=64.0, GPU=8.0)]
    assert throughput.rooms(RuntimeConfig(gpus_per_worker=0.4), shared) == [16]  # 20 shares, of which 4 fit on no GPU


def test_a_space_whose_networks_all_fail_is_a_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(config(), config().runtime)
    assert states(needs.data(context))["data"] == "ok"
    assert context.components
    monkeypatch.setattr(type(context.components.space), "build", lambda self, arch, task: 1 / 0)
    assert states(needs.worker(context))["worker"] == "ok"
    found = list(throughput.speed(context))
    assert states(found) == {"speed": "error"}
    assert "4 of 4 random networks failed:build" in found[0].text


def test_the_worker_says_what_it_lacks() -> None:
    found = config(targets={"cpu": {"device": "cuda:7"}})
    context = Context(found, found.runtime)
    assert states(needs.data(context))["data"] == "ok"
    assert "cuda" in the(needs.worker(context), "worker").text
    assert context.pool is None


# The screen


def test_a_check_that_raises_or_hangs_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(context: Context) -> Iterator[Finding]:
        yield Finding("first", "ok", "")
        raise KeyError("x")

    def hanging(context: Context) -> Iterator[Finding]:
        time.sleep(5)
        yield Finding("third", "ok", "")

    def good(context: Context) -> Iterator[Finding]:
        yield Finding("last", "ok", "")

    steps = (("second", raising, 5, "do"), ("third", hanging, 0.1, "wait"), ("last", good, 5, ""))
    monkeypatch.setattr(examining, "CHECKS", steps)
    found = list(doctor.examine())
    assert [dataclasses.astuple(finding) for finding in found] == [
        ("first", "ok", "", ""),
        ("second", "error", "KeyError: 'x'", "do"),
        ("third", "error", "no answer within 0.1 s", "wait"),
        ("last", "ok", "", ""),
    ]


def test_lines_are_whole_and_plain_where_the_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        Finding("a", "ok", "x " * 100),
        Finding("b", "error", "no\x1b[2J é", "do that"),
        Finding("c", "note", "n"),
    ]
    assert doctor.show(iter(findings), Console(highlight=False)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✓ a: " + ("x " * 100).strip()
    assert lines[1:] == ["✗ b: no é", "  → do that", "· c: n", "1 to put right"]
    ascii_file = SimpleNamespace(encoding="ascii", write=print, flush=lambda: None)
    written: list[str] = []
    ascii_file.write = written.append
    assert doctor.show(iter(findings[1:]), Console(highlight=False, file=ascii_file)) == 1  # type: ignore[arg-type]
    assert "".join(written).splitlines() == ["x b: no ?", "  -> do that", "- c: n", "1 to put right"]
    assert doctor.show(iter(findings[:1]), Console(highlight=False)) == 0


def test_findings_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding("clocks", "ok", "all alike"), Finding("folder", "error", "it is full, and small", "make room")]
    assert doctor.report(iter(findings), "json") == 1
    assert json.loads(capsys.readouterr().out) == [asdict(finding) for finding in findings]
    assert doctor.report(iter(findings[:1]), "csv") == 0
    assert capsys.readouterr().out == "name,state,text,remedy\nclocks,ok,all alike,\n"
