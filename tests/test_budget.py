"""A budget of time: how it is written, that it ends, and that what it stopped is taken up."""

import re
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

import evonas
from evonas.cli import main
from evonas.commands.search import outcomes
from evonas.config import BudgetConfig
from evonas.config.loading import load_config
from evonas.driver.budget_forecast import forecast
from evonas.errors import UserError
from evonas.measuring.device_lock import DeviceLock
from evonas.records import Candidate, Deferred, Job, Status
from evonas.runtime import Serial
from evonas.runtime.ray_pool.gpu_clock import GpuClock
from evonas.spaces import SPACES
from evonas.start import PreparedSearch
from evonas.tasks import TASKS
from evonas.terminal import notes
from evonas.terminal.notes import Forecast
from evonas.text import in_time, seconds_of
from tests.evaluation.small import ConvNets, bars_task, evaluator
from tests.synthetic import Toy, config, prepared
from tests.test_fleet import A, Launcher, answers, fleet
from tests.test_loop import content, quiet, run

MINIMAL: dict[str, Any] = {"space": {"kind": "cell"}, "task": {"kind": "digits"}, "objectives": [{"metric": "error"}]}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90),
        ("10 min", 600),
        ("10min", 600),
        ("1:30 h", 5400),
        ("1.5 hours", 5400),
        ("1 h 30 min", 5400),
        ("2 days", 172800),
    ],
)
def test_a_time_is_written_as_people_do(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    own = load_config({**MINIMAL, "budget": {"time": text}})
    assert own.budget == BudgetConfig(hours=seconds / 3600)


@pytest.mark.parametrize("text", ["10", "10 parsecs", "ten minutes", "1:75 h", "-5 min", "10 min now", ""])
def test_what_is_no_time_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"budget: .*a time is 90 s, 10 min, 1:30 h or 2 days, not"):
        load_config({**MINIMAL, "budget": {"time": text or "?"}})


def test_another_unit_as_a_key_says_how_a_time_is_given() -> None:
    with pytest.raises(UserError, match="unknown 'minutes'; a time is given as time: 10 min, 1:30 h or 2 days"):
        load_config({**MINIMAL, "budget": {"minutes": 10}})
    with pytest.raises(UserError, match="give time or hours, not both"):
        load_config({**MINIMAL, "budget": {"time": "10 min", "hours": 1}})
    assert [in_time(s) for s in (30, 600, 5400, 172800)] == ["30 s", "10 min", "1.5 h", "2 days"]


def test_training_ends_when_its_time_comes_and_nobody_is_blamed() -> None:
    evaluate = evaluator(task=bars_task())
    *_, last = evaluate(Job(Candidate(0, (1,), (), "random", 0, 7), until=time.time()))
    assert isinstance(last, Deferred)
    *_, last = evaluate(Job(Candidate(0, (1,), (), "random", 0, 7), until=time.time() + 1e6))
    assert not isinstance(last, Deferred)
    assert last.status is Status.OK


def test_what_the_time_stopped_is_pending_and_a_larger_budget_takes_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search is then the same as one that was never stopped."""
    from evonas.start import execute

    whole = evonas.load(_run(tmp_path / "whole", {"evaluations": 24}), Toy())
    hurried = prepared(tmp_path / "parts", config(budget={"evaluations": 24, "hours": 1}))

    def hour_is_over(loop: Any, evaluation: Any) -> None:
        if evaluation and loop.evaluated == 9:
            loop._started -= 3600

    ended = execute(hurried, watch=hour_is_over)
    assert ended == "the budget of 1 h is used up"
    stopped = evonas.load(tmp_path / "parts", Toy())
    assert len(stopped.evaluations) < 24
    assert stopped.status()["elapsed_s"] >= 3600
    before = content(stopped)
    again = prepared(tmp_path / "parts", config(budget={"evaluations": 24, "hours": 1}))
    execute(again, watch=quiet)  # nothing is left of the budget
    assert content(evonas.load(tmp_path / "parts", Toy())) == before
    execute(prepared(tmp_path / "parts", config(budget={"evaluations": 24, "hours": 2})), watch=quiet)
    parts = evonas.load(tmp_path / "parts", Toy())
    assert content(parts) == content(whole)
    assert parts.unfinished.empty
    assert parts.verify().difference == ""


@pytest.mark.usefixtures("local_ray")
def test_what_trains_on_ray_when_the_time_is_used_up_is_unfinished_and_taken_up(tmp_path: Path) -> None:
    """A candidate is held in its training, beyond a rung that it has passed, while an hour passes."""
    from evonas.start import execute

    whole = evonas.load(_run(tmp_path / "whole", {"evaluations": 20}), Toy())
    gate, folder, held = tmp_path / "gate", tmp_path / "parts", set[int]()
    work = {"gate": str(gate), "gated": 8}

    def start(hours: float) -> PreparedSearch:
        runtime = {"kind": "ray", "workers": 2, "cpus_per_worker": 0.5}
        return prepared(folder, config(budget={"evaluations": 20, "hours": hours}, runtime=runtime), **work)

    def hour_is_over(loop: Any, evaluation: Any) -> None:
        found = evonas.load(folder).unfinished
        held.update(found[(found["candidate"] >= 8) & (found["rungs"] == 1)]["candidate"])
        if held:
            loop._started -= 3600

    assert execute(start(1), watch=hour_is_over) == "the budget of 1 h is used up"
    stopped = evonas.load(folder, Toy())
    assert stopped.evaluations["status"].isin(["ok", "stopped"]).all(), "nobody is blamed"
    rungs = stopped.unfinished.set_index("candidate")["rungs"]
    assert rungs[sorted(held)].eq(1).all()
    assert stopped.unfinished["status"].eq("unfinished").all()
    gate.touch()
    execute(start(2), watch=quiet)
    found = evonas.load(folder, Toy())
    assert found.unfinished.empty
    assert content(found) == content(whole)
    assert found.verify().difference == ""


def _run(folder: Path, budget: dict[str, Any]) -> Path:
    from evonas.start import execute

    execute(prepared(folder, config(budget=budget)), watch=quiet)
    return folder


def test_a_candidate_that_was_stopped_is_a_row_of_what_is_unfinished(tmp_path: Path) -> None:
    sections = {
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "training": {"epochs": 500, "batch_size": 8},
        "strategy": {"population": 2},
        "budget": {"time": "1 s"},
        "runtime": {"kind": "serial"},
    }
    start = time.monotonic()
    run = evonas.search(sections, space=ConvNets(), task=bars_task(), run=tmp_path / "run")
    assert time.monotonic() - start < 60, "500 epochs would take minutes"
    assert run.evaluations.empty
    assert run.unfinished[["candidate", "status"]].to_dict("records") == [{"candidate": 0, "status": "unfinished"}]
    assert run.state == "finished: the budget of 1 s is used up"


@pytest.mark.parametrize(
    ("budget", "strategy", "line"),
    [
        (
            {"time": "10 min"},
            {"kind": "nsga2", "population": 16},
            "about 17 candidates fit into 10 min: one generation of 16; a population of 8 would give two",
        ),
        (
            {"time": "20 min"},
            {"kind": "nsga2", "population": 16},
            "about 34 candidates fit into 20 min: two generations of 16",
        ),
        (
            {"time": "5 min"},
            {"kind": "random"},
            "about 8 candidates fit into 5 min: no whole generation of 24; generations of 4 would be two",
        ),
        ({"time": "1 min"}, {"kind": "random"}, "about 1 candidate fits into 1 min: no whole generation of 24"),
        ({"evaluations": 48}, {"kind": "random"}, "about 28.2 min for 48 candidates"),
        ({"evaluations": 17, "time": "1 h"}, {"kind": "random"}, "about 10 min for 17 candidates"),
    ],
)
def test_what_fits_into_a_budget(budget: dict[str, Any], strategy: dict[str, Any], line: str) -> None:
    own = load_config({**MINIMAL, "budget": budget, "strategy": strategy})
    assert forecast(own, 17 / 600 + 1e-9) == line


def test_a_dry_run_tries_a_network_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SPACES, "ConvNets", ConvNets)
    monkeypatch.setitem(TASKS, "bars", bars_task)
    sections = {
        "space": {"kind": "ConvNets"},
        "task": {"kind": "bars"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "training": {"epochs": 4, "rungs": [3]},
        "strategy": {"population": 4},
        "budget": {"time": "10 min"},
        "runtime": {"workers": 3},
    }
    Path("small.yaml").write_text(yaml.safe_dump(sections))
    assert main(["search", "small.yaml", "--dry-run"]) == 0
    took, fits = capsys.readouterr().out.splitlines()
    assert took.startswith("a random network: ")
    assert took.endswith("; 3 at a time")
    assert fits.startswith("about ")
    assert " candidates fit into 10 min: " in fits
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
    monkeypatch.setattr(ConvNets, "build", lambda self, arch, task: 1 / 0)
    assert main(["search", "small.yaml", "--dry-run"]) == 2
    assert "a random network failed:build: ZeroDivisionError" in capsys.readouterr().err


def test_a_search_says_once_what_fits() -> None:
    """When twice as many were evaluated as there are workers."""
    search = SimpleNamespace(
        config=load_config({**MINIMAL, "budget": {"time": "10 min"}}),
        runtime=SimpleNamespace(workers=2),
        evaluated_here=5,
        elapsed_s=100.0,
    )
    said = Forecast()
    lines = []
    for search.evaluated_here, search.elapsed_s in ((5, 100.0), (8, 160.0), (9, 180.0), (10, 200.0)):
        lines.append(said.line(search))  # type: ignore[arg-type]
    fits = "note: about 30 candidates fit into 10 min: one generation of 24; generations of 8 would be three"
    assert lines == ["", "", fits, ""]


def test_measurements_of_another_search_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notes, "WORTH_SAYING_S", 0.0)
    own = SimpleNamespace(config=load_config({**MINIMAL, "budget": {"time": "10 min"}}), owner=str(tmp_path / "mine"))
    others = notes.OtherMeasurements()
    others.look(own, None)  # type: ignore[arg-type]
    assert others.waited_s == 0
    for owner, waits in ((str(tmp_path / "mine"), False), (str(tmp_path / "runs" / "x"), True)):
        with DeviceLock(["cpu"], owner=owner).exclusive("cpu"):
            time.sleep(0.01)
            others.look(own, None)  # type: ignore[arg-type]
        assert (others.waited_s > 0) is waits
    assert re.fullmatch(r"waits for measurements of another search, runs/x: 0 of 0 s so far", others.text)


def test_a_serial_search_says_for_how_long_its_candidates_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = SimpleNamespace(
        config=load_config({**MINIMAL, "budget": {"time": "1 h"}, "runtime": {"kind": "serial"}}),
        owner=str(tmp_path / "mine"),
    )
    others = notes.OtherMeasurements()
    for paused_s in (4.0, 3.0):
        others.look(own, SimpleNamespace(paused_s=paused_s))  # type: ignore[arg-type]
    assert others.text == "waits for measurements of another search: 7 of 0 s so far"
    assert DeviceLock(["cpu"]).measuring() is None


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("finished: the budget of 1 min is used up", "1 unfinished, which a larger budget takes up"),
        ("stopped; to go on: evonas resume runs/x", "1 unfinished"),
        ("running", "(2 ok)"),
    ],
)
def test_only_a_search_whose_budget_is_used_up_asks_for_a_larger_one(state: str, says: str) -> None:
    run = SimpleNamespace(
        evaluations=pd.DataFrame(
            {"status": "ok", "epochs": 1, "operator": "random", "parents": [[]] * 2, "conditions": [{}] * 2}
        ),
        state=state,
        unfinished=[2],
    )
    assert outcomes(run).endswith(says)  # type: ignore[arg-type]


def test_gpu_hours_are_those_that_gpus_are_held_and_a_search_that_goes_on_knows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submitted: list[Job]
) -> None:
    """A GPU that is held for six minutes a candidate, whose work takes no time: starts, and lost workers."""
    monkeypatch.setattr(Serial, "gpu_s", property(lambda _: 360.0 * len(submitted)))
    settings: dict[str, Any] = {"runtime": {"kind": "serial", "gpus_per_worker": 1}}
    found = run(tmp_path / "run", budget={"evaluations": None, "gpu_hours": 1}, **settings)
    assert len(found.evaluations) == 10
    submitted.clear()
    found = run(tmp_path / "run", budget={"evaluations": None, "gpu_hours": 1.5}, **settings)
    assert len(found.evaluations) == 15
    assert {row["gpu_s"] for row in found.evaluations["conditions"]} == {"360.000"}


def test_held_is_what_workers_have_that_are_ready_or_placed() -> None:
    now = 0.0
    clock = GpuClock(lambda: now)
    assert clock.hold(2.5) == 0.0
    now = 10.0
    assert clock.hold(1.0) == 25.0
    now = 12.0
    assert clock.hold(0.0) == 27.0
    now = 100.0
    assert clock.hold(0.0) == 27.0
    launcher = Launcher([A])
    made = fleet(launcher, workers=2, gpus_per_worker=0.5)
    assert made.gpu_s == 0.0
    answers(made, launcher)
    assert (len(made.starting), made.workers) == (2, [])
    before = made.gpu_s
    assert made.gpu_s > before, "a worker that starts holds its share already"
