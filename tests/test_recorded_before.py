"""Runs and contents recorded by evonas before schema version 4 (commit df7aa74) and before version 5 (commit bbdfa66):
they open, verify and go on, and the same seeds still give the same genomes and decisions.

The work of the first is `tests.synthetic.Work`, plain arithmetic that is the same on every machine. Made with: 26
evaluations, failing (5, 11), unbuildable (7,), weights_kb 0.2; `interrupted` is `window` stopped after 13 candidates.
The second is a search of small cells on the digits with a measured latency, stopped after 6 candidates of 8; its test
of going on is in `test_certainty`.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.cli import main
from evonas.config.loading import load_config
from evonas.run_identity.as_begun import as_begun
from evonas.run_identity.finding import default_folder
from tests.synthetic import Toy, config
from tests.test_loop import content, run
from tests.test_other_cpu import SETTINGS

RECORDED = Path(__file__).parent / "recorded" / "schema3"
RECORDED_4 = RECORDED.parent / "schema4" / "digits"
WORK = {"failing": (5, 11), "unbuildable": (7,), "weights_kb": 0.2}
NSGA2: dict[str, Any] = {"kind": "nsga2", "parents": "population", "initial": 4, "spread": 1, "crossover": 0.9}
"""As it was by default."""
CASES: dict[str, dict[str, Any]] = {
    "window": {"strategy": NSGA2, "schedule": {"grows": False}},
    "async": {"strategy": NSGA2, "schedule": {"mode": "async"}},
    "generation": {"strategy": NSGA2, "schedule": {"mode": "generation", "lookahead": 3}},
    "random": {"strategy": {"kind": "random"}, "schedule": {"generation": 8}},
    "limits": {
        "limits": [{"metric": "params", "at_most": 900}],
        "strategy": {**NSGA2, "mutation": 0.2, "crossover": 0.5},
        "schedule": {"grows": False},
    },
}
LINES = {
    "interrupted": {},
    "limits": {"limits": CASES["limits"]["limits"], "strategy": {"mutation": 0.2, "crossover": 0.5}},
}
"""What the lines of these runs said."""
RENAMED = {"born_after": "visible"}
"""Columns that have another name in this schema."""


def recorded(name: str) -> tuple[list[str], list[list[Any]], list[list[Any]]]:
    content = json.loads((RECORDED / "content.json").read_text())[name]
    columns = [RENAMED.get(column, column) for column in content["columns"]]
    operator = columns.index("operator")
    for row in content["rows"]:
        row[operator] = {"founder": "random"}.get(row[operator], row[operator])
    return columns, content["rows"], content["populations"]


def plain(frame: Any) -> list[list[Any]]:
    found: list[list[Any]] = json.loads(frame.to_json(orient="values", double_precision=15))
    return found


def check(found: evonas.Run, name: str) -> None:
    columns, rows, populations = recorded(name)
    assert plain(found.evaluations[columns]) == rows
    assert plain(found.populations) == populations


@pytest.mark.parametrize("name", CASES)
def test_a_seeded_search_finds_what_it_found_then(name: str, tmp_path: Path) -> None:
    check(run(tmp_path / "run", budget={"evaluations": 26}, work=WORK, **CASES[name]), name)


@pytest.mark.parametrize("name", ["random", "limits"])
def test_a_recorded_run_opens_and_verifies(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evonas.load(RECORDED / name, Toy())
    check(found, name)
    verdict = found.verify()
    assert (verdict.difference, verdict.candidates, verdict.generations) == ("", 26, 4)
    assert main(["status", str(RECORDED / name)]) == 0
    assert main(["front", str(RECORDED / name), "--format", "csv"]) == 0
    assert "26 candidates evaluated" in capsys.readouterr().out


def test_a_recorded_run_goes_on_as_if_nothing_had_changed(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RECORDED / "interrupted", tmp_path / "run"))
    assert len(evonas.load(folder, Toy()).evaluations) == 13
    found = run(folder, budget={"evaluations": 26}, work=WORK, **LINES["interrupted"])
    check(found, "window")
    assert found.verify().difference == ""


def test_a_finished_recorded_run_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RECORDED / "limits", tmp_path / "run"))
    longer = run(folder, budget={"evaluations": 40}, work=WORK, **LINES["limits"])
    assert len(longer.evaluations) == 40
    assert longer.verify().difference == ""
    other = run(tmp_path / "other", budget={"evaluations": 40}, work=WORK, **CASES["limits"])
    same = ["genome", "parents", "operator", "visible", "seed", "status", "error"]
    assert plain(longer.evaluations[same]) == plain(other.evaluations[same])


def test_the_line_of_a_recorded_run_finds_its_folder_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name has the fingerprint that the config had in the words of then."""
    monkeypatch.chdir(tmp_path)
    then = evonas.load(RECORDED / "interrupted").description["fingerprint"]
    folder = Path("runs") / f"search-{then[:8]}"
    shutil.copytree(RECORDED / "interrupted", folder)
    settings = config(budget={"evaluations": 26})
    assert settings.fingerprint != then
    assert default_folder("search", settings) == folder
    assert default_folder("search", config(seed=4)) == Path("runs") / f"search-{config(seed=4).fingerprint[:8]}"


def test_a_run_of_version_4_opens_and_verifies(capsys: pytest.CaptureFixture[str]) -> None:
    found = evonas.load(RECORDED_4)
    assert found.evaluations["generation"].tolist() == [1, 1, 1, 1, pd.NA, pd.NA]
    assert found.front()["candidate"].tolist() == [5, 0, 3]
    assert found.verify().difference == ""
    assert main(["verify", str(RECORDED_4)]) == 0
    assert "6 candidates and 1 generation" in capsys.readouterr().out


def test_a_run_whose_strategy_had_another_name_opens_verifies_and_goes_on(tmp_path: Path) -> None:
    """`recorded/aging` is of commit 1664567, where `aging` was a name of `regularised_evolution` as well."""
    folder = Path(shutil.copytree(RECORDED.parent / "aging", tmp_path / "run"))
    assert evonas.load(folder, Toy()).verify().difference == ""
    section: dict[str, Any] = {"kind": "regularised_evolution", "population": 6, "sample": 3}
    longer = run(folder, budget={"evaluations": 17}, strategy={**section, "kind": "aging"})
    assert longer.description["config"]["strategy"]["kind"] == "regularised_evolution"
    other = run(tmp_path / "other", budget={"evaluations": 17}, strategy=section)
    assert content(longer) == content(other)
    assert longer.verify().difference == ""


def test_a_run_whose_costs_counted_by_logarithms_at_rung_0_goes_on_so(tmp_path: Path) -> None:
    """`recorded/surrogate` is from before `training.before` said in what costs count."""
    recorded = evonas.load(RECORDED.parent / "surrogate", Toy()).description
    there = recorded["config"]["training"]["before"]
    begun = as_begun(load_config(SETTINGS), recorded["config"])
    assert (there["costs"], begun.training.before.costs) == ("logarithm", "logarithm")  # type: ignore[union-attr]
    assert begun.fingerprint == recorded["fingerprint"]
    assert begun.training.before != load_config(SETTINGS).training.before
