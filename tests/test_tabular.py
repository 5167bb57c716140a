"""A benchmark by table is a whole search: limits, rungs, early stopping and the record are those of training."""

from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.config.loading import load_config
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Evaluation, Fitness, Genome, Job, RungReport, Status
from evonas.tabular import Tabular
from tests.synthetic import SPEC, Toy

CONFIG: dict[str, Any] = {
    "space": {"kind": "Toy"},
    "task": {"kind": "synthetic"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "training": {"epochs": 9, "rungs": [1, 3]},
    "strategy": {"kind": "nsga2", "population": 8},
    "budget": {"evaluations": 32},
    "runtime": {"kind": "serial"},
}


def error(genome: Genome, epochs: int) -> dict[str, float]:
    return {"error": (1 + sum(genome[1:])) / (1 + genome[0]) / epochs}


def params(genome: Genome) -> dict[str, float]:
    return {"params": 10.0 + 5 * genome[0] + sum(genome)}


TABLE = Tabular(error, params)
GENOME = (2, *(0,) * 8)


def evaluated(job: Job, **sections: Any) -> tuple[list[RungReport], Evaluation]:
    settings = load_config({**CONFIG, **sections})
    *passed, last = TABLE(Toy(), settings, Objectives(settings, SPEC))(job)
    assert isinstance(last, Evaluation)
    return passed, last


def job(*cutoffs: tuple[Fitness, ...], reached: tuple[RungReport, ...] = ()) -> Job:
    return Job(Candidate(3, GENOME, (), "random", 0, 0), cutoffs, reached=reached)


def test_a_candidate_reports_each_rung_and_what_the_table_says_there() -> None:
    passed, last = evaluated(job((), ()))
    assert [(report.rung, report.metrics) for report in passed] == [
        (0, {"params": 22.0, "error": 1 / 3}),
        (1, {"params": 22.0, "error": 1 / 9}),
    ]
    assert last.status is Status.OK
    assert last.metrics == {"params": 22.0, "error": 1 / 27}
    assert [report.rung for report in last.rungs] == [0, 1, 2]
    assert [epoch.epoch for epoch in last.curve] == [1, 3, 9]


def test_a_dominated_candidate_stops_at_its_rung() -> None:
    passed, last = evaluated(job((Fitness(1, 0, (1.0, 100.0)),), (Fitness(1, 1, (0.1, 20.0)),)))
    assert [report.rung for report in passed] == [0]
    assert last.status is Status.STOPPED
    assert last.metrics == {"params": 22.0, "error": 1 / 9}
    assert [report.rung for report in last.rungs] == [0, 1]


def test_a_rung_that_was_reported_is_not_reported_again() -> None:
    reached = RungReport(3, 0, {"params": 22.0, "error": 1 / 3})
    passed, last = evaluated(job((), (), reached=(reached,)))
    assert [report.rung for report in passed] == [1]
    assert last.rungs[0] == reached


def test_a_candidate_over_a_limit_on_its_costs_is_never_looked_up() -> None:
    passed, last = evaluated(job((), ()), limits=[{"metric": "params", "at_most": 11}])
    assert passed == []
    assert last.status is Status.INFEASIBLE
    assert (last.metrics, last.curve, last.rungs) == ({"params": 22.0}, (), ())


@pytest.mark.parametrize("mode", ["window", "async", "generation"])
def test_a_search_stops_some_refuses_some_and_verifies(mode: str, tmp_path: Path) -> None:
    limits = [{"metric": "params", "at_most": 32}]
    sections = {**CONFIG, "limits": limits, "schedule": {"mode": mode}}
    run = evonas.search(sections, space=Toy(), task=SPEC, evaluator=TABLE, run=tmp_path / "run")
    rows = run.evaluations
    assert set(rows["status"]) == {"ok", "stopped", "infeasible"}
    for row in rows.to_dict("records"):
        genome = tuple(row["genome"])
        assert row["params"] == params(genome)["params"]
        assert (row["status"] == "infeasible") is (row["params"] > 32)
        if row["status"] != "infeasible":
            assert row["error"] == error(genome, row["curve"][-1]["epoch"])["error"]
    assert evonas.load(tmp_path / "run", Toy()).verify().difference == ""
