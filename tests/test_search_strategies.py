"""Searches with strategies of other kinds: models that predict, that are not exact, populations that age."""

import os
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.cli import main
from evonas.records import Candidate
from evonas.seeding import stream
from evonas.spaces import SPACES
from evonas.strategies import STRATEGIES, Problem, Proposal, Random, Report
from tests.forging import forge_cell
from tests.synthetic import Toy
from tests.test_loop import Stop, content, populations, recovered, run, stopping_after

BIAS = "EVONAS_TEST_BIAS"


class Predicting(Random):
    """Predicts the mean of what it was told; another machine, which a variable stands for, gives other last digits."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self._first = problem.objectives[0].key
        self._told: dict[int, float] = {}

    def tell(self, report: Report) -> None:
        assert report.metrics["params"] > 0, "costs are told too"
        self._told[report.index] = report.metrics[self._first]

    def tell_failed(self, index: int) -> None:
        self._told.pop(index, None)

    def ask(self, index: int) -> Proposal:
        proposal = super().ask(index)
        if not self._told:
            return proposal
        mean = sum(self._told.values()) / len(self._told) + float(os.environ.get(BIAS, "0"))
        return Proposal(proposal.genome, (), "model", {self._first: mean, f"{self._first}.std": 0.25})


class Inexact(Predicting):
    """The genomes, too, differ from machine to machine."""

    exact = False

    def ask(self, index: int) -> Proposal:
        machine = int(float(os.environ.get(BIAS, "0")))
        return Proposal(self._novelty.sample(stream(machine, "breed", index)), (), "model")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, part in (("predicting", Predicting), ("inexact", Inexact)):
        monkeypatch.setitem(STRATEGIES, name, part)
    monkeypatch.setitem(SPACES, "Toy", Toy)


def search(folder: Path, kind: str, **changes: Any) -> evonas.Run:
    return run(folder, strategy={"kind": kind}, schedule={"generation": 8}, **changes)


def test_predictions_are_in_the_rows_of_their_candidates(tmp_path: Path) -> None:
    found = search(tmp_path / "run", "predicting")
    predicted = found.evaluations["predicted"].tolist()
    assert predicted[0] == {}
    assert set(predicted[-1]) == {"error", "error.std"}
    assert predicted[-1]["error.std"] == 0.25
    assert 0 < predicted[-1]["error"] < 1
    assert found.verify().difference == ""


def test_strategies_that_predict_nothing_leave_the_column_empty(tmp_path: Path) -> None:
    assert run(tmp_path / "run", budget={"evaluations": 9}).evaluations["predicted"].tolist() == [{}] * 9


def test_a_prediction_outlives_an_interruption_before_its_candidate_was_evaluated(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", "predicting")
    with pytest.raises(Stop):
        search(tmp_path / "run", "predicting", watch=stopping_after(13))
    pending = recovered(tmp_path / "run").pending
    assert all(isinstance(candidate, Candidate) and candidate.predicted for candidate in pending)
    found = search(tmp_path / "run", "predicting")
    assert content(found) == content(whole)
    assert found.evaluations["predicted"].tolist() == whole.evaluations["predicted"].tolist()


def test_what_was_predicted_is_no_part_of_what_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = search(tmp_path / "run", "predicting")
    monkeypatch.setenv(BIAS, "1e-9")
    assert found.verify().difference == ""


class TestInexact:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A run that was searched on another machine."""
        search(tmp_path / "run", "inexact")
        monkeypatch.setenv(BIAS, "1")
        return tmp_path / "run"

    def test_births_are_taken_as_recorded_and_the_verdict_says_so(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        verdict = evonas.load(folder, Toy()).verify()
        assert (verdict.difference, verdict.candidates, verdict.bred) == ("", 40, False)
        assert main(["verify", str(folder)]) == 0
        assert "births are taken as recorded, because the strategy is not exact" in capsys.readouterr().out

    def test_an_exact_strategy_would_differ(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Inexact, "exact", True)
        assert evonas.load(folder, Toy()).verify().difference.startswith("candidate 0: genome is")

    def test_it_goes_on_with_what_was_recorded(self, folder: Path) -> None:
        before = evonas.load(folder, Toy()).evaluations["genome"].map(tuple).tolist()
        longer = search(folder, "inexact", budget={"evaluations": 50})
        assert longer.evaluations["genome"].map(tuple).tolist()[:40] == before
        assert longer.evaluations["arch_hash"].is_unique
        assert longer.verify().difference == ""

    @pytest.mark.parametrize(
        ("kind", "column", "value", "says"),
        [
            ("evaluations", "genome", lambda genome: [(genome[0] + 1) % 3, *genome[1:]], "arch is"),
            ("evaluations", "seed", lambda seed: seed + 1, "seed is"),
            ("evaluations", "status", lambda status: "stopped" if status == "ok" else "ok", "candidate 12"),
            ("populations", "crowding", lambda crowding: 0.123, "survivor"),
        ],
    )
    def test_what_was_changed_in_the_record_is_still_found(
        self, kind: str, column: str, value: Any, says: str, folder: Path
    ) -> None:
        forge_cell(folder, kind, 2, column, 4, value)
        assert says in evonas.load(folder, Toy()).verify().difference


@pytest.mark.parametrize("mode", ["window", "async", "generation"])
def test_a_population_that_ages_is_recorded_as_it_is(mode: str, tmp_path: Path) -> None:
    changes = {
        "strategy": {"kind": "regularised_evolution", "population": 6, "sample": 3},
        "schedule": {"mode": mode, "generation": 8},
        "work": {"failing": (5, 11)},
    }
    found = run(tmp_path / "run", **changes)
    for generation, members in found.populations.groupby("generation"):
        came = found.evaluations.sort_values("position")
        came = came[(came["position"] < 8 * generation) & ~came["status"].str.startswith("failed")]
        assert set(members["candidate"]) == set(came["candidate"][-6:])
    assert "mutation" in set(found.evaluations["operator"])
    assert found.verify().difference == ""
    with pytest.raises(Stop):
        run(tmp_path / "parts", stopping_after(21), **changes)
    parts = run(tmp_path / "parts", **changes)
    if mode != "async":
        assert content(parts) == content(found)
        assert populations(parts) == populations(found)
