"""Ranks of zero-cost scores stand in for training: what they are, and a search that goes by them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

import evonas
from evonas.config.loading import load_config
from evonas.driver.breeding import Breeder
from evonas.driver.ranked_scores import RankedScores
from evonas.errors import UserError
from evonas.objectives.levels import RungCutoff
from evonas.objectives.metrics import AGGREGATED
from evonas.objectives.objectives import Objectives
from evonas.objectives.score_ranks import aggregate, placed
from evonas.records import Fitness, Genome, RungReport
from evonas.strategies import Report
from evonas.surrogate.stand_ins import STAND_INS
from evonas.tabular import Tabular
from tests.forging import forge_cell
from tests.synthetic import CURVES, OF_CURVES, SPEC, Toy, bred


def costs(genome: Genome) -> dict[str, float]:
    """With scores of which three say a little of the error, and ties."""
    low = (1 + sum(genome[1:])) / (2 + genome[0])
    scores = {"az_expressivity": -low, "az_progressivity": -round(low, 1), "az_trainability": float(-genome[1])}
    return {**CURVES.costs(genome), **scores, "macs": 1.0 + sum(genome) % 7}


TABLE = Tabular(CURVES.trained, costs)
CONFIG: dict[str, Any] = {
    **OF_CURVES,
    "training": {"epochs": 9, "rungs": [0, 3], "before": {"kind": "scores", "promote": 0.3}},
    "budget": {"evaluations": 60},
}


def searched(folder: Path, table: Tabular = TABLE, **changes: Any) -> evonas.Run:
    return evonas.search({**CONFIG, **changes}, space=Toy(), task=SPEC, evaluator=table, run=folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return searched(tmp_path_factory.mktemp("scores") / "run", limits=[{"metric": "error", "at_most": 0.5}])


def births(in_flight: int, count: int) -> list[Genome]:
    """Genomes of a search in which evaluations come as late as `in_flight` candidates allow, the youngest first."""
    config = load_config({**CONFIG, "limits": [{"metric": "error", "at_most": 0.5}]})
    objectives = Objectives(config, SPEC)
    breeder, evaluate = Breeder(config, Toy(), objectives), TABLE(Toy(), config, objectives)
    return bred(breeder, evaluate, in_flight, count)


def test_the_aggregate_is_the_sum_of_the_logarithms_of_ranks() -> None:
    scores = np.random.default_rng(0).integers(0, 9, (30, 4)).astype(float)
    by_scipy = sum(np.log(rankdata(column) / 30) for column in scores.T)
    assert aggregate(scores) == pytest.approx(by_scipy)
    others = np.sort(scores[:-1], axis=0)
    assert placed(tuple(map(tuple, others.T.tolist())), scores[-1].tolist()) == pytest.approx(by_scipy[-1])
    assert placed(((),) * 4, [1.0, 2.0, 3.0, 4.0]) == 0


def test_products_of_ranks_that_are_equal_are_equal_sums() -> None:
    """1 x 6 = 2 x 3, whatever a logarithm is on this processor: else who passes would hang on it."""
    ranks = np.array([range(1, 13), [6, 3, 1, 2, 4, 5, *range(7, 13)]], dtype=float).T
    assert np.log(ranks / 12)[0].sum() != np.log(ranks / 12)[1].sum(), "so it shows something"
    first, second = aggregate(ranks)[:2]
    assert first == second


def test_the_bar_is_that_of_a_rung_with_the_aggregates_of_now() -> None:
    objectives = Objectives(load_config(CONFIG), SPEC)
    rng = np.random.default_rng(1)
    ranked = RankedScores(0.3, objectives)
    scores, params = rng.random((40, 4)), rng.integers(0, 25, 40).astype(float)
    for part in (range(8), range(8, 40)):
        metrics = [dict(zip(AGGREGATED, scores[i].tolist(), strict=True)) for i in part]
        ranked.add([Report(i, Fitness(i, 0, (params[i], 7.0)), own) for i, own in zip(part, metrics, strict=True)])
        count = part.stop
        values = zip(params[:count].tolist(), (-aggregate(scores[:count])).tolist(), strict=True)
        bar = RungCutoff(0.3)
        bar.add([Fitness(i, 0, each) for i, each in enumerate(values)])
        assert ranked.fitnesses == bar.fitnesses
        assert len(ranked.columns[0]) == count
    assert ranked.fitnesses


def test_a_limit_on_the_error_is_none_on_ranks() -> None:
    objectives = Objectives(load_config({**CONFIG, "limits": [{"metric": "error", "at_most": 0.5}]}), SPEC)
    fitness = objectives.fitness(RungReport(0, 0, {"params": 10.0, "before.error": 3.0}))
    assert (fitness.values, fitness.violation) == ((10.0, 3.0), 0)


def test_most_are_judged_by_their_scores_before_any_training(run: evonas.Run) -> None:
    rows = run.evaluations
    stopped = (rows["status"] == "stopped") & (rows["epochs"] == 0)
    assert 0.3 < stopped.mean() < 0.95
    assert rows[list(AGGREGATED)].notna().all(axis=None)
    assert (rows["before.error"] >= 0).all()
    own = rows.sort_values("candidate").iloc[-1]
    seen = rows[rows["candidate"] < own["visible"]]
    scores = np.vstack([seen[list(AGGREGATED)], own[list(AGGREGATED)]]).astype(float)
    assert own["before.error"] == pytest.approx(-aggregate(scores)[-1])


def test_the_record_gives_each_decision_again_on_any_number_of_workers(run: evonas.Run) -> None:
    assert run.verify().difference == ""
    alone = [tuple(genome) for genome in run.evaluations.sort_values("candidate")["genome"]]
    assert births(7, 60) == alone


def test_a_changed_score_is_named(tmp_path: Path) -> None:
    searched(tmp_path / "run", budget={"evaluations": 24})

    def better(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**rungs[0], "metrics": {**dict(rungs[0]["metrics"]), "az_expressivity": 1e3}}, *rungs[1:]]

    forge_cell(tmp_path / "run", "evaluations", 1, "rungs", 3, better)
    assert "before.error" in evonas.load(tmp_path / "run", space=Toy()).verify().difference


def test_a_table_without_the_scores_says_so(tmp_path: Path) -> None:
    found = searched(tmp_path / "run", CURVES, budget={"evaluations": 4, "same_failure": 1.0})
    assert found.evaluations["message"].str.contains("goes by az_expressivity, and nothing has given it").all()


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("oracle", "unknown 'oracle'.* \\(known: scores, supernet, surrogate\\), or a metric"),
        ({"kind": "scores", "rule": "gain"}, "leave rule out"),
    ],
)
def test_what_cannot_be_is_said(before: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        searched(tmp_path / "run", training={**CONFIG["training"], "before": before})


def test_the_name_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAND_INS, "scores", STAND_INS["surrogate"])
    with pytest.raises(UserError, match="rename it"):
        searched(tmp_path / "run")
