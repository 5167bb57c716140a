"""What people find in their trackers: through the real libraries, with a real MLflow server."""

import importlib
import importlib.util
import logging
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evonas.analysis import evaluations, front
from evonas.cli import main
from evonas.errors import Replaced
from evonas.installing import how_to_install
from evonas.start import execute
from evonas.store import open_folder, read_run
from evonas.testing import check_tracker
from evonas.tracking import TrackerDispatcher, dispatcher, missing
from evonas.tracking.dispatcher import TRACKERS
from tests.synthetic import config, prepared
from tests.waiting import PATIENCE_S, until

EPOCHS = 9
"""Longer than a busy machine can take."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search waits until all is told, however long its tracker takes to start."""
    for name in ("FINISHED_S", "SILENT_S"):
        monkeypatch.setattr(dispatcher, name, PATIENCE_S)


def quiet(search: object, evaluation: object) -> None: ...


def search(run: Path, *trackers: str, budget: int = 24, watch: Any = quiet) -> None:
    execute(prepared(run, config(tracking=trackers, budget={"evaluations": budget}), weights_kb=0.1), watch=watch)


def front_of(run: Path) -> dict[int, float]:
    """The candidates of the front and their errors."""
    description = read_run(open_folder(run))
    rows = front(evaluations(open_folder(run), description), ["error", "params"], [1, 1])
    return dict(zip(rows["candidate"].tolist(), rows["error"].tolist(), strict=True))


def interrupt(at: int) -> Any:
    def watch(search: Any, evaluation: object) -> None:
        if search.evaluated == at:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_keeps_its_contract(
    name: str, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(database, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("WANDB_MODE", "offline")
    entry = TRACKERS[name]
    check_tracker(getattr(importlib.import_module(entry.module), entry.name), tmp_path / "run")


# TensorBoard


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()  # files of one second come in any order
    points = {
        name: sorted(events.Scalars(name), key=lambda point: point.wall_time) for name in events.Tags()["scalars"]
    }
    return {name: [(point.step, point.value) for point in found] for name, found in points.items()}


def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    search(run, "tensorboard")
    root = run / "tensorboard"
    at = scalars(root / "search")
    assert at["evaluated"][-1] == (24, 24)
    assert at["front"][-1] == (24, len(front_of(run)))
    assert at["hypervolume"][-1][1] >= 1
    assert at["best/error"][-1][1] == pytest.approx(min(front_of(run).values()))
    assert {path.name for path in root.glob("candidate-*")} == {f"candidate-{i:06d}" for i in front_of(run)}
    for candidate, error in front_of(run).items():
        network = root / f"candidate-{candidate:06d}"
        shown = scalars(network)
        assert [step for step, _ in shown["curve/valid_loss"]] == list(range(1, EPOCHS + 1))
        assert shown["error"] == [(candidate, pytest.approx(error))]
        events = EventAccumulator(str(network)).Reload()
        assert "_hparams_/session_start_info" in events.PluginTagToContent("hparams")
        text = events.Tensors("network/text_summary")[0].tensor_proto.string_val[0].decode()
        assert f"{run}/weights/{candidate:06d}.safetensors" in text
        assert '"blocks"' in text


def test_tensorboard_of_a_search_that_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        search(run, "tensorboard", watch=interrupt(12))
    until(lambda: scalars(run / "tensorboard" / "search"))
    assert not list((run / "tensorboard").glob("candidate-*"))
    search(run, "tensorboard", budget=16)
    search(run, "tensorboard", budget=40)
    steps = [step for step, _ in scalars(run / "tensorboard" / "search")["evaluated"]]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (1, 40)
    names = {path.name for path in (run / "tensorboard").glob("candidate-*")}
    assert names == {f"candidate-{i:06d}" for i in front_of(run)}


def test_a_run_that_is_finished_can_still_be_told_of(tmp_path: Path) -> None:
    run = tmp_path / "run"
    search(run)
    assert not (run / "tensorboard").exists()
    search(run, "tensorboard")
    assert len(list((run / "tensorboard").glob("candidate-*"))) == len(front_of(run))


# MLflow


MLFLOW = """
import gc, os, runpy, sys
gc.disable()
from mlflow import server
from mlflow.cli import cli
def here(command, extra_env, **options):
    gc.freeze()
    gc.enable()
    os.environ.update(extra_env)
    sys.argv = command[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
server._exec_cmd = here
cli()
"""
"""`mlflow`, whose server runs in this process and not in another one, which would import all of it again."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow without experiments, to be copied: a second of a processor goes into all of its migrations."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[str]:
    """A real MLflow server, which keeps the artefacts, and runs no jobs."""
    folder = tmp_path_factory.mktemp("mlflow")
    shutil.copy(database, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "kept")]
    with (folder / "log").open("wb") as log:
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(600)


def answers(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return b""


def told_mlflow(name: str) -> tuple[Any, dict[int, Any]]:
    """The run of a search and its children, by candidate."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "evonas.search" in run.data.tags]
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(runs) == 1 + len(children)
    return parent, {int(run.data.tags["evonas.candidate"]): run for run in children}


def test_mlflow(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "toys")
    run = tmp_path / "run"
    capfd.readouterr()
    with pytest.raises(KeyboardInterrupt):
        search(run, "mlflow", watch=interrupt(12))
    search(run, "mlflow", budget=16)
    assert capfd.readouterr().out == ""
    parent, early = told_mlflow("toys")
    assert parent.info.status == "FINISHED"
    assert set(early) == set(front_of(run))
    search(run, "mlflow", budget=40)
    again, children = told_mlflow("toys")
    assert again.info.run_id == parent.info.run_id
    assert again.data.metrics["evaluated"] == 40
    assert again.data.params["strategy.population"] == "8"
    assert again.data.tags["evonas.folder"] == str(run)
    assert {candidate: child.data.metrics["error"] for candidate, child in children.items()} == front_of(run)
    for candidate in set(early) & set(children):
        assert early[candidate].info.run_id == children[candidate].info.run_id
    candidate, child = next(iter(children.items()))
    assert child.info.status == "FINISHED"
    assert child.data.tags["evonas.weights"] == f"{run}/weights/{candidate:06d}.safetensors"
    assert "stem" in child.data.params
    curve = MlflowClient().get_metric_history(child.info.run_id, "curve/valid_loss")
    assert [point.step for point in curve] == list(range(1, EPOCHS + 1))
    assert [file.path for file in MlflowClient().list_artifacts(child.info.run_id)] == ["architecture.json"]


def test_mlflow_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "run", "mlflow", watch=interrupt(12))
    search(tmp_path / "run", "mlflow")
    parent, children = told_mlflow("evonas")
    assert parent.info.status == "FINISHED"
    assert set(children) == set(front_of(tmp_path / "run"))


# Weights & Biases


def records(file: Path) -> Iterator[Any]:
    """Of a .wandb file: a log of LevelDB's format, with protobuf records behind 7 bytes of its own."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # what is left of a block is padding
            at += 32768 - at % 32768
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        part += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(part)
            part = b""


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    from evonas.tracking.wandb import SETTINGS

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_X_SERVICE_WAIT", str(PATIENCE_S))
    for name in ("init_timeout", "finish_timeout"):
        monkeypatch.setattr(SETTINGS, name, PATIENCE_S)
    run = tmp_path / "run"
    wandb.teardown()  # a service that an earlier test has started has that test's settings
    search(run, "wandb")
    wandb.teardown()  # its service writes the end of the files when it ends
    begun, artefacts, steps = {}, [], []
    for file in tmp_path.glob("wandb/offline-run-*/*.wandb"):
        for record in records(file):
            if record.HasField("run"):
                begun[record.run.display_name] = record.run
            for artefact in [record.artifact] if record.HasField("artifact") else []:
                artefacts += [entry.ref for entry in artefact.manifest.contents]
            for request in [record.request] if record.HasField("request") else []:
                artefacts += [entry.ref for entry in request.log_artifact.artifact.manifest.contents]
            at = [i.value_json for i in record.history.item if "evaluated" in (i.key, *i.nested_key)]
            steps += [(record.history.step.num, float(value)) for value in at]
    names = [f"run-candidate-{candidate:06d}" for candidate in front_of(run)]
    assert sorted(begun) == sorted(["run", *names])
    assert len({found.run_group for found in begun.values()}) == 1
    assert {found.project for found in begun.values()} == {"evonas"}
    assert steps[-1] == (24, 24)
    assert all(step == evaluated for step, evaluated in steps)
    weights = {(run / "weights" / f"{candidate:06d}.safetensors").as_uri() for candidate in front_of(run)}
    assert weights <= set(artefacts)


def test_wandb_without_a_key_does_not_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    search(tmp_path / "run", "wandb")
    (said,) = [record.getMessage() for record in caplog.records if record.name == "evonas"]
    assert said.startswith("wandb is told nothing more:")
    assert "WANDB_MODE=offline" in said
    assert len(front_of(tmp_path / "run")) > 1


# All


def test_a_library_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "mlflow" else find(name, *rest)
    )
    assert missing(["tensorboard"]) == ""
    file = tmp_path / "config.yaml"
    file.write_text(
        "{space: {kind: cell}, task: {kind: digits}, objectives: [{metric: error}], budget: {hours: 1}, "
        "tracking: [tensorboard, mlflow]}"
    )
    assert main(["search", str(file), "--run", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert said == f"evonas: tracking: mlflow needs its library: {how_to_install('mlflow')}"
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "configs/digits.yaml", "--set", "tracking=[mlflo]", "--run", str(tmp_path / "run")]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert "tracking" in said
    assert "mlflow" in said


def test_a_tracker_named_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "configs/digits.yaml", "--set", "tracking=[mlflow, mlflow]"]) == 2
    assert "each tracker once" in capsys.readouterr().err


def test_names_that_mlflow_does_not_take(tmp_path: Path) -> None:
    from evonas.tracking.mlflow import _name

    assert _name("latency_ms[pi@home (old)]") == "latency_ms/pi_home _old_"
    assert _name("a//b/../c/") == "a/c"


def test_another_search_in_the_same_folder_is_told_of_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    keys = set()
    for _ in range(2):
        search(tmp_path / "run", budget=4)
        keys.add(dispatcher._about(config(), open_folder(tmp_path / "run")).key)
        shutil.rmtree(tmp_path / "run")
    assert len(keys) == 2


def test_a_driver_that_was_replaced_leaves_the_tracker_to_its_successor(tmp_path: Path) -> None:
    told: list[str] = []
    run = tmp_path / "run"
    search(run, budget=4)
    watch = TrackerDispatcher(config(), open_folder(run), quiet).__enter__()
    watch._posts = [SimpleNamespace(tell=lambda what: told.append("told"), end=lambda: told.append("end"))]  # type: ignore
    watch.__exit__(Replaced, Replaced("another goes on"), None)
    assert told == ["end"]


def test_ctrl_c_while_trackers_are_waited_for_goes_on_without(tmp_path: Path) -> None:
    run = tmp_path / "run"
    search(run, budget=4)
    dispatcher = TrackerDispatcher(config(), open_folder(run), quiet)

    def done(until: float) -> bool:
        raise KeyboardInterrupt

    post: Any = SimpleNamespace(name="slow", tell=lambda what: None, end=lambda: None, done=done)
    with dispatcher:
        dispatcher._posts = [post]
    dispatcher.wait()


def test_trackers_do_not_shape_a_search() -> None:
    assert config(tracking=["mlflow"]).fingerprint == config().fingerprint


def test_a_tracker_that_fails_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    search(tmp_path / "run", "mlflow", "tensorboard")
    said = [record.getMessage() for record in caplog.records if record.name == "evonas"]
    [line] = [line for line in said if line.startswith("mlflow")]  # a busy machine is slow to tell tensorboard, too
    assert line.startswith("mlflow is told nothing more:")
    assert scalars(tmp_path / "run" / "tensorboard" / "search")["evaluated"][-1] == (24, 24)


def test_a_server_that_does_not_answer_cannot_hold_a_search_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    importlib.import_module("mlflow.tracking")  # which takes as long as such a server
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(dispatcher, "NEWS_S", 0.1)
    monkeypatch.setattr(dispatcher, "FINISHED_S", 0.5)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with caplog.at_level(logging.WARNING, "evonas"):
            search(tmp_path / "run", "mlflow")
        deaf.settimeout(600)
        deaf.accept()[0].close()
    said = [record.getMessage() for record in caplog.records if record.name == "evonas"]
    assert said[:2] == [
        "mlflow is still being told; ctrl-C goes on without",
        "mlflow has not been told everything: it takes too long to answer",
    ]
    for thread in threading.enumerate():
        if thread.name == "evonas-mlflow":
            thread.join(60)
    assert len(evaluations(open_folder(tmp_path / "run"), read_run(open_folder(tmp_path / "run")))) == 24


# The cluster's own metrics


@pytest.mark.slow
def test_a_search_is_among_the_metrics_of_its_cluster(tmp_path: Path) -> None:
    """What Prometheus reads of the head node while the search runs."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, _system_config={"metrics_report_interval_ms": 500})
    found: list[str] = []
    settings = config(runtime={"kind": "ray", "workers": 1}, budget={"evaluations": 2000})

    def watch(search: Any, evaluation: object) -> None:
        port = ray.nodes()[0]["MetricsExportPort"]
        page = answers(f"http://127.0.0.1:{port}/metrics").decode() if search.evaluated % 8 == 0 else ""
        found.extend(line for line in page.splitlines() if line.startswith("ray_evonas_"))
        if found or search.evaluated > 1500:
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            execute(prepared(tmp_path / "run", settings, delay=0.02), watch=watch)
    finally:
        ray.shutdown()
    names = {line.partition("{")[0] for line in found}
    assert names >= {"ray_evonas_evaluated", "ray_evonas_busy", "ray_evonas_queue", "ray_evonas_workers"}
    (evaluated,) = [line for line in found if line.startswith("ray_evonas_evaluated")]
    assert f'run="{tmp_path / "run"}"' in evaluated
    assert 0 < float(evaluated.split()[-1]) < 2000
