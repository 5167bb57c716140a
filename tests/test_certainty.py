"""Scores on their way from a candidate to the record, and what people see of how sure a front is."""

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import evonas
from evonas.analysis import recommended
from evonas.cli import main
from evonas.errors import UserError
from evonas.records import Evaluation, Job, Status
from evonas.report.data import document
from evonas.runtime import Message
from evonas.scores import decoded, encoded
from evonas.terminal.front import chosen_by, for_people
from evonas.terminal.tables import fitting_table
from tests.forging import forge_cell
from tests.synthetic import SPEC as SYNTHETIC
from tests.synthetic import Toy, Work, config
from tests.test_loop import Stop, content, recovered, run, stopping_after
from tests.test_recorded_before import RECORDED_4

WORK = {"failing": (5, 11), "unbuildable": (7,), "scored": 200}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("certainty") / "run", budget={"evaluations": 26}, work=WORK)


@pytest.fixture
def digits() -> evonas.Run:
    return evonas.load(RECORDED_4)


# -- the record --


def test_scores_are_in_the_record_and_decide_nothing(found: evonas.Run, tmp_path: Path) -> None:
    scores = found.scores("error")
    trained = found.evaluations[found.evaluations["status"] == "ok"].set_index("candidate")["error"]
    assert scores.index.tolist() == trained.index.tolist()
    assert scores.shape[1] == 200
    assert (scores.sum(axis=1) == np.ceil(200 * trained)).all()
    without = run(tmp_path / "without", budget={"evaluations": 26}, work={**WORK, "scored": 0})
    assert content(without) == content(found)
    assert without.scores("error").empty
    assert found.verify().difference == without.verify().difference == ""


def test_scores_outlive_an_interruption(found: evonas.Run, tmp_path: Path) -> None:
    """What is in no generation yet is in the journal, with its scores."""
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(13), budget={"evaluations": 26}, work=WORK)
    half = evonas.load(tmp_path / "run", Toy())
    assert half.evaluations["generation"].isna().any()
    assert any(row["scores"] for row in recovered(tmp_path / "run").rows)
    assert half.scores("error").equals(found.scores("error").loc[half.scores("error").index])
    whole = run(tmp_path / "run", budget={"evaluations": 26}, work=WORK)
    assert whole.scores("error").equals(found.scores("error"))
    assert whole.certainty().equals(found.certainty())


@pytest.mark.parametrize("forged", [b"", b"b\x09\0\0\0\1", b"f\1\0\0\0" + np.float32(np.nan).tobytes()])
def test_forged_scores_are_named(forged: bytes, found: evonas.Run, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(str(found.folder), tmp_path / "run"))
    forge_cell(copy, "evaluations", 1, "scores", 0, {"error": forged})
    with pytest.raises(UserError, match=r"generation-00001\.parquet is damaged: scores"):
        _ = evonas.load(copy, Toy()).evaluations


class Scoring(Work):
    """Gives scores that are none."""

    given: Any = encoded([1.0])
    of: str = "error"

    def __call__(self, job: Job) -> Iterator[Message]:
        for message in super().__call__(job):
            yield replace(message, scores={self.of: self.given}) if isinstance(message, Evaluation) else message


@pytest.mark.parametrize(
    ("given", "of", "line"),
    [
        ([1, 0], "error", "scores of error: scores are bytes, not [1, 0]; give evonas.scores.encoded(NUMBERS)"),
        (
            b"bits",
            "error",
            "scores of error: scores begin with a letter and a number of four bytes; give evonas.scores.",
        ),
        (encoded([1.0]), "loss", "scores of loss: the evaluator did not give the metric that they are of"),
    ],
)
def test_scores_of_an_own_evaluator_that_are_none_are_a_failure(given: Any, of: str, line: str, tmp_path: Path) -> None:
    class Wrong(Scoring):
        pass

    Wrong.given, Wrong.of = given, of
    budget = {"evaluations": 3, "same_failure": 1.0}
    with pytest.warns(UserWarning, match="no candidate was trained"):
        wrong = evonas.search(
            config(budget=budget, training={"epochs": 1, "rungs": []}).model_dump(mode="json", by_alias=True),
            space=Toy(),
            task=SYNTHETIC,
            evaluator=Wrong,
            run=tmp_path / "run",
            progress=False,
        )
    assert set(wrong.evaluations["status"]) == {Status.FAILED_ERROR}
    assert all(message.startswith(line) for message in wrong.evaluations["message"])
    assert wrong.verify().difference == ""


# -- what people see --


def test_a_front_says_how_sure_it_is(found: evonas.Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["front", str(found.folder), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    sure = found.certainty()
    archs = found.evaluations.set_index("candidate")["arch"]
    assert [row["arch"] for row in rows] == [json.loads(archs[row["candidate"]]) for row in rows]
    assert [row["p_front"] for row in rows] == sure["p_front"].tolist()
    assert [row["error_indistinguishable"] for row in rows] == sure["error_indistinguishable"].tolist()
    assert any(row["error_indistinguishable"] for row in rows)
    assert "params_low" not in rows[0]
    assert main(["front", str(found.folder)]) == 0
    text = capsys.readouterr().out
    assert "p(front)" in text
    assert "1,000 draws of the validation examples, the same ones for all networks" in text


def test_a_narrow_terminal_keeps_the_probability_and_leaves_out_the_interval_of_the_latency(digits: evonas.Run) -> None:
    shown = for_people(digits, chosen_by(digits, digits.front()))
    shown["alike"] = "11, 29 +1"
    console = Console(file=io.StringIO(), width=80)
    table = fitting_table(shown, "", console, digits.objectives)
    heads = ["candidate", "error", "95 %", r"latency_ms\[cpu]", "p(front)", "alike"]
    assert [column.header for column in table.columns] == heads
    console.print(table)
    assert "…" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_page_has_what_the_table_has(found: evonas.Run) -> None:
    data, sure = document(found), found.certainty()
    assert [one["alike"] for one in data["certainty"]] == sure["indistinguishable"].tolist()
    assert [list(one["intervals"]) for one in data["certainty"]] == [["error"]] * len(sure)
    places = {candidate: place for place, candidate in enumerate(data["columns"]["candidate"])}
    p = data["columns"]["p_front"]
    assert [p[places[i]] for i in sure["candidate"]] == pytest.approx(sure["p_front"].tolist())
    status = found.evaluations["status"].tolist()
    assert [one is None for one in p] == [one != "ok" for one in status]


def test_the_networks_that_one_would_take_are_chosen_with_the_noise_in_mind() -> None:
    """The most accurate has a cheaper one that is as good; the knee, candidate 2, one that is surer."""
    description = {
        "task": {"metrics": {"error": "minimize"}},
        "objectives": [{"column": "error", "sign": 1}, {"column": "latency_ms[cpu]", "sign": 1}],
    }
    error, ms, params = [0.01, 0.015, 0.1, 0.11, 0.5], [9.0, 5.0, 1.5, 1.45, 1.0], [9, 8, 3, 2, 1]
    front = pd.DataFrame({"candidate": range(5), "error": error, "latency_ms[cpu]": ms, "params": params})
    alike = [[], [], [3], [2], []]
    sure = pd.DataFrame({"candidate": range(5), "p_front": [1, 1, 0.3, 0.7, 1], "indistinguishable": alike})
    sure["error_indistinguishable"] = [[1], [0], [3], [2], []]
    picks = {pick["role"]: pick for pick in recommended(description, front, sure)}
    assert {role: pick["candidate"] for role, pick in picks.items()} == {"smallest": 4, "knee": 3, "most accurate": 1}
    assert picks["most accurate"]["why"] == (
        "cheapest of those whose error cannot be told from the lowest: error 0.015 at latency_ms[cpu] 5; "
        "candidate 0 has 0.01 at 9"
    )
    assert picks["knee"]["why"].endswith("p(front) 0.70 instead of 0.30")
    unknown = sure.assign(p_front=np.nan, indistinguishable=None, error_indistinguishable=None)
    before = recommended(description, front)
    assert recommended(description, front, unknown) == before
    assert {pick["role"]: pick["candidate"] for pick in before} == {"smallest": 4, "knee": 2, "most accurate": 0}


# -- runs of before --


def test_a_run_without_scores_has_binomial_intervals_and_says_so(digits: evonas.Run) -> None:
    sure = digits.certainty()
    assert sure["p_front"].between(0, 1).all()
    assert digits.drawn.noise == {"error": "binomial", "latency_ms[cpu]": "interval"}
    said = " ".join(digits.remarks())
    assert "of each network by itself, since the run was recorded without scores of its examples" in said
    assert digits.scores("error").empty


def test_a_run_without_scores_goes_on_and_what_is_new_has_some(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(RECORDED_4, tmp_path / "run"))
    assert main(["resume", str(folder), "--set", "budget.evaluations=7"]) == 0
    longer = evonas.load(folder)
    assert longer.scores("error").index.tolist() == [6]
    bits = longer.scores("error").loc[6]
    assert bits.mean() == longer.evaluations["error"].iloc[6]
    assert longer.drawn.noise["error"] == "mixed"
    assert main(["verify", str(folder)]) == 0
    assert decoded(encoded(bits)).sum() == bits.sum()
