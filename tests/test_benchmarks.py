"""Every script in benchmarks/ and examples/ runs with --smoke: a few candidates, in seconds."""

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until_gone

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path.relative_to(ROOT)
    for folder in ("benchmarks", "examples")
    for path in sorted((ROOT / folder).glob("*.py"))
    if not path.name.startswith("_")  # what the scripts share
    and path.stem != "gpu_session"  # below
]
SLOW = {
    *(
        "audit",
        "latency",
        "quiet_search",
        "recipe",
        "rung_0",
        "scores",
        "streaming",
        "soak",
        "pausing",
        "training",
        "forecasts",
        "recommendations",
        "sounds",
        "texts",
    ),
    # which run as a whole in test_examples.py
    *("pictures", "parameter_limit", "table", "speech", "series", "tune_searcher"),
    *("several_inputs", "script_loop", "lightning_loop"),  # more of them in extensions and evaluation/test_own_loop.py
}
NEEDS = {"lightning_loop": "lightning"}
"""Examples that need what evonas does not -> its package."""
NONSENSE = ("nan", "inf", "Traceback")


@pytest.mark.parametrize(
    "script",
    [pytest.param(script, marks=pytest.mark.slow if script.stem in SLOW else (), id=str(script)) for script in SCRIPTS],
)
def test_it_runs_with_few_candidates(script: Path, binaries: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [binaries / "run-script", ROOT / script, "--smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if (needs := NEEDS.get(script.stem)) and not find_spec(needs):
        assert (answer.returncode, answer.stderr) == (1, f"this example needs {needs.title()}: pip install {needs}\n")
        pytest.skip(answer.stderr.strip())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout, "it says nothing"
    assert not set(NONSENSE) & set(answer.stdout.replace("%", " ").split()), answer.stdout


def test_a_session_on_a_gpu_is_rehearsed_with_every_section_and_goal(binaries: Path, tmp_path: Path) -> None:
    (tmp_path / "gpu_rows.jsonl").write_text('{"section": "pack", "paid": true}\n')
    answer = subprocess.run(
        [binaries / "run-script", ROOT / "benchmarks/gpu_session.py", "--dry"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stderr
    paid, *rows = [json.loads(line) for line in (tmp_path / "gpu_rows.jsonl").read_text().splitlines()]
    assert paid == {"section": "pack", "paid": True}, "a second look keeps what the first has found"
    assert {"commit", "time"} <= {*set.intersection(*map(set, rows))}
    assert not [row for row in rows if "skipped" in row and not row["asks"]]
    assert not [row for row in rows if "error" in row]
    took = [row["section"] for row in rows if {*row} == {"section", "took_s", "commit", "time"}]
    assert took == ["env", "fork", "failures", "memory", "energy", "step", "latency", "pack"]
    assert [row["status"] for row in rows if row.get("deed") == "error"] == ["failed:error"]
    assert all(row["right"] for row in rows if "deed" in row)
    assert {"processes": 2, "failed": 0}.items() <= rows[-2].items()
    goals = answer.stdout.split("these figures mean nothing")[-1].strip().splitlines()
    assert len(goals) == 10
    assert all(goal.split()[-1] in ("met", "MISSED", "measured", "judged") for goal in goals)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--seconds", "0"], "takes seconds, more than 0"),
        (["--seconds", "-5"], "takes seconds, more than 0"),
        (["--seconds", "nan"], "not nan"),
        (["--rows", "/nope/x"], "/nope/x: No such file or directory; give a file in a folder that is there"),
        (["--rows", "rows", "--mps"], "--mps: there is no nvidia-cuda-mps-control"),
        (["--rows", "rows", "packs"], "there is no section packs"),
    ],
)
def test_a_session_is_asked_for_in_a_line(
    options: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["gpu_session.py", "--dry", *options])
    with pytest.raises(SystemExit) as ended:
        import_module("gpu_session").asked()
    assert ended.value.code == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_a_part_for_which_no_time_is_left_is_said_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    main, kept = import_module("gpu_session"), import_module("gpu.session")
    ran: list[str] = []
    sections = {name: (lambda session, name=name: ran.append(name), 5, least) for name, least in (("a", 9), ("b", 99))}
    monkeypatch.setattr(main, "SECTIONS", sections)
    session = kept.Session(tmp_path / "rows", 60.0, False)
    main.run(session, ["b", "a"])
    assert ran == ["a"]
    assert session.rows[0]["skipped"].endswith(" s left, of 99 that it takes")
    assert session.wait_s(120) <= 60


def test_a_session_in_which_something_hangs_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; from pathlib import Path; from gpu.session import Session; "
        "child = subprocess.Popen(['sleep', '3600'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "print(child.pid, flush=True); session = Session(Path('rows'), 0.1, False); "
        "session.end_at_last(0.1, lambda: print('last', flush=True)); child.wait(); "
        "import time; time.sleep(30)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")}
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    child, *_, last = answer.stdout.splitlines()
    assert (answer.returncode, last) == (1, "last"), answer.stderr
    until_gone(int(child))
    assert json.loads((tmp_path / "rows").read_text())["error"] == "something hangs; all is ended"


def _told(session: Any, good: bool) -> None:
    """The rows that goals are judged by."""
    for where, spread in (("idle", 0.009), ("beside trainers that pause", 0.019)):
        for graph in (True, False):  # a goal of graphs: eager passes are clocked with Python in them
            session.tell("latency", where=where, graph=graph, net="mid", cv=spread if good and graph else 0.021)
    for mode in ("eager", "graph"):
        session.tell("pack", net="mid", mode=mode, processes=8, gain=3.1 if good else 2.9)
    for mode, images_s in (("batch 64", 100.0), ("batch 64, graph", 151.0 if good else 149.0)):
        session.tell("step", net="mid", mode=mode, images_s=images_s)
    for mode, images_s in (("DataLoader", 20.0), ("eager", 90.0), ("graph", 101.0 if good else 99.0)):
        session.tell("step", net="mid", mode=mode, images_s=images_s)
    session.tell(
        "failures", deed="assert", behind="good", right=good, status="failed:crash" if good else "failed:error"
    )
    session.tell("failures", deed="good", behind="assert", right=good, status="ok" if good else "failed:crash")
    session.tell("fork", bad_fork=not good)
    session.tell("memory", fence=0.05, raised="OutOfMemoryError" if good else None)


@pytest.mark.parametrize("good", [True, False])
def test_goals_of_a_session_are_met_or_missed_by_what_was_found(
    good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    goals, session = import_module("gpu.goals"), import_module("gpu.session").Session(tmp_path / "rows", 60.0, False)
    assert {met for *_, met in goals.goals(session)} == {None}
    _told(session, good)
    assert [met for *_, met in goals.goals(session)] == [good] * 10, goals.table(session)
    assert ("behind assert: failed:crash" in goals.table(session)) != good


@pytest.mark.slow
def test_a_session_on_a_gpu_needs_nothing_that_a_bare_machine_lacks(tmp_path: Path) -> None:
    """What is imported is in the docstring that names the wheels: neither Ray nor readers of tables."""
    lacking = ("ray", "pymoo", "pyarrow", "pandas", "moocore", "rich", "sklearn", "plotille", "torchmetrics")
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({lacking})); sys.argv[1:] = ['--dry', 'failures']; "
        f"sys.path[0] = '{ROOT}/benchmarks'; runpy.run_path('{ROOT}/benchmarks/gpu_session.py', run_name='__main__')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )
    assert answer.returncode == 0, answer.stderr
    assert '"error": ' not in answer.stdout


def test_there_is_something_to_run() -> None:
    assert {Path("benchmarks/throughput.py"), Path("examples/custom_space.py")} <= set(SCRIPTS)
