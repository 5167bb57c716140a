"""Rung 0 and pausing together: who is not trained is neither paused nor promoted, and a record gives both again."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.commands.search import outcomes
from evonas.config.loading import load_config
from evonas.driver.breeding import Breeder
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Job, RungReport
from evonas.tabular import Tabular
from tests.forging import forge_cell
from tests.synthetic import CURVES, OF_CURVES, SPEC, Toy

BY_MODEL = {"epochs": 9, "rungs": [0, 3], "stopping": "pause", "promote": 0.5, "before": {"promote": 0.2}}
BY_METRIC = {
    "epochs": 27,
    "rungs": [0, 3, 9],
    "stopping": "pause",
    "promote": 0.34,
    "before": {"kind": "macs", "promote": 0.3},
}
TABLE = Tabular(CURVES.trained, lambda genome: {**CURVES.costs(genome), "macs": 1.0 + sum(genome) % 7})
CONFIG: dict[str, Any] = {
    **OF_CURVES,
    "training": BY_MODEL,
    "budget": {"evaluations": 110},
}


def searched(folder: Path, **changes: Any) -> evonas.Run:
    return evonas.search({**CONFIG, **changes}, space=Toy(), task=SPEC, evaluator=TABLE, run=folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return searched(tmp_path_factory.mktemp("both") / "run")


@pytest.fixture(scope="module")
def by_metric(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return searched(tmp_path_factory.mktemp("metric") / "run", training=BY_METRIC, budget={"evaluations": 60})


def is_promotion(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["operator"].str.startswith("promote:")


def test_who_is_not_trained_is_neither_paused_nor_promoted(run: evonas.Run) -> None:
    rows = run.evaluations.set_index("candidate")
    untrained = rows[(rows["status"] == "stopped") & (rows["epochs"] == 0)]
    assert len(untrained) > 10
    assert (untrained["before.gain"] < untrained["before.threshold"]).all()
    promoted = rows[is_promotion(rows)]
    assert len(promoted) > 15
    parents = [row["parents"][0] for _, row in promoted.iterrows()]
    assert not set(parents) & set(untrained.index)
    assert (rows.loc[parents, "epochs"] == 3).all()
    assert set(rows.loc[rows["status"] == "ok", "operator"]) == {"promote:2"}
    assert not set(untrained.index) & set(run.populations["candidate"])
    assert f"{len(untrained)} of them before training, {len(promoted)} of them went on" in outcomes(run)


def test_a_promotion_has_what_was_expected_of_its_network(run: evonas.Run) -> None:
    """Rung 0 is decided once a network: a promotion is not asked again."""
    rows = run.evaluations.set_index("candidate")
    for _, row in rows[is_promotion(rows)].iterrows():
        parent = rows.loc[row["parents"][0]]
        assert [dict(rung["metrics"]) for rung in row["rungs"][:2]] == [dict(r["metrics"]) for r in parent["rungs"]]


def test_the_record_gives_both_decisions_again(run: evonas.Run) -> None:
    verdict = run.verify()
    assert (verdict.difference, verdict.bred) == ("", True)


@pytest.mark.parametrize(
    ("training", "mode"),
    [(BY_MODEL, "window"), (BY_METRIC, "window"), (BY_METRIC, "generation")],
    ids=["model", "metric", "metric in generations"],
)
def test_the_search_is_the_same_for_any_number_of_workers(training: dict[str, Any], mode: str) -> None:
    alone, together = (births(count, training, mode) for count in (1, 7))
    assert together == alone
    assert sum(operator.startswith("promote:") for _, operator in alone) > 8


def births(in_flight: int, training: dict[str, Any], mode: str, count: int = 100) -> list[tuple[Any, str]]:
    """Of a search in which evaluations come as late as `in_flight` candidates allow, the youngest first."""
    config = load_config({**CONFIG, "training": training, "schedule": {"mode": mode}})
    objectives = Objectives(config, SPEC)
    breeder, evaluate = Breeder(config, Toy(), objectives), TABLE(Toy(), config, objectives)
    waiting: list[Job] = []
    born: list[tuple[Any, str]] = []
    passed = 0
    while len(born) < count:
        if len(waiting) < in_flight and breeder.ready():
            waiting.append(breeder.breed())
            born.append((waiting[-1].candidate.genome, waiting[-1].candidate.operator))
            continue
        for message in evaluate(waiting.pop()):
            if isinstance(message, RungReport):
                assert message.rung == 0, "training ends at the first rung that is not known"
                breeder.buffer.add_report(message)
                passed += 1
            elif isinstance(message, Evaluation):
                breeder.buffer.add_evaluation(message)
    assert breeder.buffer.trained == passed, "of a network, whose promotions are none of their own"
    return born


@pytest.mark.parametrize("training", [pytest.param(BY_MODEL, marks=pytest.mark.slow, id="model"), BY_METRIC])
def test_a_search_that_goes_on_is_the_same(
    training: dict[str, Any], run: evonas.Run, by_metric: evonas.Run, tmp_path: Path
) -> None:
    whole = run if training is BY_MODEL else by_metric
    budget = {"evaluations": len(whole.evaluations)}
    searched(tmp_path / "run", training=training, budget={"evaluations": budget["evaluations"] - 25})
    again = searched(tmp_path / "run", training=training, budget=budget)
    columns = ["genome", "status", "operator", "parents", "error", "before.error"]
    assert again.evaluations[columns].astype(str).equals(whole.evaluations[columns].astype(str))
    assert again.verify().difference == ""


def inherited(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**rungs[0], "metrics": {**dict(rungs[0]["metrics"]), "before.always": 1.0}}, *rungs[1:]]


@pytest.mark.parametrize(
    ("of", "column", "value", "says"),
    [
        ("promoted", "rungs", inherited, "what it has at rung 0 is not what candidate"),
        ("promoted", "parents", lambda parents: [parents[0] - 1], "parents is"),
        ("untrained", "status", "ok", "was trained, which rung 0 does not give"),
        ("paused", "status", "ok", "passed rung 1, which is not as it is paused"),
    ],
)
def test_what_was_changed_is_named(
    of: str, column: str, value: Any, says: str, by_metric: evonas.Run, tmp_path: Path
) -> None:
    shutil.copytree(by_metric.folder, tmp_path / "run")
    rows = by_metric.evaluations
    untrained = (rows["status"] == "stopped") & (rows["epochs"] == 0)
    chosen = {"promoted": is_promotion(rows), "untrained": untrained, "paused": rows["epochs"] == 3}[of]
    row = rows[chosen].iloc[-1]
    forge_cell(tmp_path / "run", "evaluations", int(row["generation"]), column, int(row["position"]) % 8, value)
    assert says in evonas.load(tmp_path / "run", space=Toy()).verify().difference


def test_a_budget_counts_networks_that_passed_rung_0_and_not_their_promotions(tmp_path: Path) -> None:
    rows = searched(tmp_path / "run", budget={"trained": 20}).evaluations
    networks = rows[(rows["epochs"] > 0) & ~is_promotion(rows)]
    assert 20 <= len(networks) <= 30
    assert is_promotion(rows).any()
