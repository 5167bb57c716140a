"""Real networks, really paused: a checkpoint goes on to the bit, on any worker, after any end of the search."""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.driver.loop import Search
from evonas.records import Evaluation
from evonas.start import execute, prepare
from tests.test_determinism import CONFIG as TRAINED
from tests.test_loop import ROOT, Stop, stopping_after

CONFIG: dict[str, Any] = {
    **TRAINED,
    "space": {"kind": "mlp"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "training": {
        **TRAINED["training"],
        "epochs": 4,
        "rungs": [1, 2],
        "stopping": "pause",
        "promote": 0.5,
        "average": 0.5,
        "augment": {"flip": "alternating"},
    },
    "schedule": {"generation": 4, "lookahead": 1, "grows": False},
    "budget": {"evaluations": 12},
}


def run(folder: Path, watch: Any = None, runtime: dict[str, Any] | None = None, **training: Any) -> evonas.Run:
    config = {**CONFIG, "training": {**CONFIG["training"], **training}, "runtime": runtime or {"kind": "serial"}}
    execute(prepare(config, run=folder), watch=watch or (lambda loop, evaluation: None))
    return evonas.load(folder)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("paused") / "run")


def reached(run: evonas.Run) -> list[tuple[Any, ...]]:
    """What a search decided, and what training gave to the bit; -1 of those that were not trained."""
    rows = run.evaluations.sort_values("candidate").fillna({"error": -1.0})
    return [
        *zip(
            rows["candidate"], rows["operator"], map(tuple, rows["genome"]), rows["error"], rows["status"], strict=True
        )
    ]


def test_training_goes_on_from_a_checkpoint_as_if_it_had_never_paused(reference: evonas.Run, tmp_path: Path) -> None:
    anew = run(tmp_path / "run", checkpoints_mb=0)
    assert reached(anew) == reached(reference)
    whole, parts = (one.evaluations[one.evaluations["status"] == "ok"] for one in (anew, reference))
    assert len(whole) >= 1
    assert {len(curve) for curve in parts["curve"]} == {2}
    assert {len(curve) for curve in whole["curve"]} == {4}
    assert not list((Path(anew.folder) / "checkpoints").iterdir())
    assert reference.verify().difference == ""


def test_a_checkpoint_is_there_while_its_candidate_may_be_promoted(reference: evonas.Run) -> None:
    rows = reference.evaluations
    gone = {row["parents"][0] for _, row in rows.iterrows() if row["operator"].startswith("promote:")}
    there = {int(path.stem) for path in (Path(reference.folder) / "checkpoints").iterdir()}
    assert there == set(rows.loc[rows["status"] == "stopped", "candidate"]) - gone


@pytest.mark.slow
def test_interrupted_damaged_and_resumed_it_is_the_same(reference: evonas.Run, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(5))
    first, *others = sorted((tmp_path / "run" / "checkpoints").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(8))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    found = run(tmp_path / "run")
    assert reached(found) == reached(reference)
    assert found.verify().difference == ""
    assert others


def killed_after(count: int) -> Any:
    """In the serial runtime the driver trains: it ends as by kill -9, in the middle of the training that comes next."""

    def watch(loop: Search, evaluation: Evaluation | None) -> None:
        if loop.evaluated >= count:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()

    return watch


@pytest.mark.slow
def test_killed_in_its_trainings_it_goes_on_as_the_same(binaries: Path, reference: evonas.Run, tmp_path: Path) -> None:
    for count in (3, 7, 10):
        program = (
            f"from tests.test_promotion_trained import *; run(Path({str(tmp_path / 'run')!r}), killed_after({count}))"
        )
        killed = subprocess.run([binaries / "run-code", program], cwd=ROOT, capture_output=True, text=True, check=False)
        assert killed.returncode != 0, killed.stderr
    assert reached(run(tmp_path / "run")) == reached(reference)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_ray_workers(workers: int, reference: evonas.Run, tmp_path: Path) -> None:
    found = run(tmp_path / "run", runtime={"workers": workers, "cpus_per_worker": 0.5})
    assert reached(found) == reached(reference)
    assert (found.evaluations.loc[found.evaluations["status"] == "ok", "curve"].map(len) == 2).all()


BOTH: dict[str, Any] = {"rungs": [0, 1, 2], "before": {"kind": "naswot", "promote": 0.4, "always": 0}}


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_with_rung_0_interrupted_and_on_workers_of_ray_it_is_the_same(tmp_path: Path) -> None:
    alone = run(tmp_path / "alone", **BOTH)
    rows = alone.evaluations
    assert ((rows["status"] == "stopped") & (rows["epochs"] == 0)).any()
    assert rows["operator"].str.startswith("promote:").sum() >= 2
    with pytest.raises(Stop):
        run(tmp_path / "parts", stopping_after(5), **BOTH)
    for name, runtime in (("parts", {"kind": "serial"}), ("ray", {"workers": 3, "cpus_per_worker": 0.5})):
        found = run(tmp_path / name, runtime=runtime, **BOTH)
        assert reached(found) == reached(alone)
        assert found.verify().difference == ""
    curves = alone.evaluations.loc[alone.evaluations["operator"].str.startswith("promote:"), "curve"]
    assert set(curves.map(len)) <= {1, 2}, "promotions go on from their checkpoints"
