"""Rung 0: what was measured is trained only where a stand-in says that it may be worth it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import evonas
from evonas.analysis import stopping_audit
from evonas.commands.search import outcomes
from evonas.config.loading import load_config
from evonas.driver.breeding import Breeder
from evonas.driver.expecting import Expecting
from evonas.errors import UserError
from evonas.objectives.before_training import is_stopped_before, report_before
from evonas.objectives.objectives import Objectives
from evonas.records import Before, Candidate, Evaluation, Genome, Job, RungReport
from evonas.runtime import RUNTIMES, Factory, Serial
from evonas.surrogate.stand_ins import STAND_INS
from tests.forging import forge_cell
from tests.synthetic import CURVES, OF_CURVES, SPEC, Toy, bred

CONFIG: dict[str, Any] = {
    **OF_CURVES,
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "training": {"epochs": 9, "rungs": [0, 3], "before": {"kind": "surrogate", "promote": 0.2}},
    "budget": {"evaluations": 90},
}


def searched(folder: Path, **changes: Any) -> evonas.Run:
    return evonas.search({**CONFIG, **changes}, space=Toy(), task=SPEC, evaluator=CURVES, run=folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return searched(tmp_path_factory.mktemp("before") / "run")


def births(in_flight: int, count: int, **changes: Any) -> list[Genome]:
    """Genomes of a search in which evaluations come as late as `in_flight` candidates allow, the youngest first."""
    config = load_config({**CONFIG, **changes})
    objectives = Objectives(config, SPEC)
    breeder, evaluate = Breeder(config, Toy(), objectives), CURVES(Toy(), config, objectives)
    return bred(breeder, evaluate, in_flight, count)


def test_most_births_are_not_trained_once_enough_is_known(run: evonas.Run) -> None:
    rows = run.evaluations
    stopped = rows[(rows["status"] == "stopped") & (rows["epochs"] == 0)]
    assert not (stopped["candidate"] < 20).any()
    assert len(stopped) > 0.5 * (rows["candidate"] > 50).sum()
    assert stopped["error"].isna().all(), "what was expected is not what was reached"
    assert stopped["before.error"].notna().all()
    assert (stopped["before.gain"] < stopped["before.threshold"]).all()
    assert (rows.loc[rows["before.always"] == 1, "epochs"] > 0).all()


def test_those_that_were_not_trained_are_in_no_population(run: evonas.Run) -> None:
    stopped = set(run.evaluations.loc[run.evaluations["epochs"] == 0, "candidate"])
    assert stopped
    assert not stopped & set(run.populations["candidate"])


def test_the_record_gives_each_decision_again(run: evonas.Run) -> None:
    verdict = run.verify()
    assert verdict.difference == ""
    assert verdict.bred


@pytest.mark.parametrize("in_flight", [2, 7])
def test_the_search_is_the_same_for_any_number_of_workers(run: evonas.Run, in_flight: int) -> None:
    alone = [tuple(genome) for genome in run.evaluations.sort_values("candidate")["genome"]]
    assert births(in_flight, 90) == alone


@pytest.mark.slow
def test_a_search_that_goes_on_is_the_same(run: evonas.Run, tmp_path: Path) -> None:
    searched(tmp_path / "run", budget={"evaluations": 47})
    again = searched(tmp_path / "run").evaluations
    columns = ["genome", "status", "before.error", "before.threshold"]
    assert again[columns].astype(str).equals(run.evaluations[columns].astype(str))


def test_a_changed_prediction_is_named(tmp_path: Path) -> None:
    run = searched(tmp_path / "run", budget={"evaluations": 60})
    row = run.evaluations[run.evaluations["before.gain"].notna()].iloc[-1]
    generation, place = int(row["generation"]), int(row["position"]) % 8

    def nearer(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        metrics = dict(rungs[0]["metrics"])
        return [{**rungs[0], "metrics": {**metrics, "before.error": metrics["before.error"] * 1.01}}, *rungs[1:]]

    forge_cell(tmp_path / "run", "evaluations", generation, "rungs", place, nearer)
    verdict = evonas.load(tmp_path / "run", space=Toy()).verify()
    assert "before.error" in verdict.difference


@pytest.mark.slow
def test_a_budget_of_trained_networks_is_kept_exactly_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    rows = searched(tmp_path / "run", budget={"trained": 45}).evaluations
    assert (rows["epochs"] > 0).sum() == 45
    assert len(rows) > 60
    more = searched(tmp_path / "run", budget={"trained": 50}).evaluations
    whole = searched(tmp_path / "whole", budget={"trained": 50}).evaluations
    assert (more["epochs"] > 0).sum() == 50
    assert list(more["genome"].map(tuple)) == list(whole["genome"].map(tuple))


class Youngest(Serial):
    """Seven workers, of whom the one with the youngest job is the next to report."""

    def __init__(self, factory: Factory, *others: Any) -> None:
        super().__init__(factory, *others)
        self._evaluate, self._jobs = factory(), list[Iterator[Any]]()

    @property
    def free_slots(self) -> int:
        return 7 - self.pending

    @property
    def pending(self) -> int:
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs.append(self._evaluate(job))

    def wait(self, seconds: float) -> Sequence[Any]:
        message = next(self._jobs[-1])
        if isinstance(message, Evaluation):
            self._jobs.pop()
        return (message,)


def test_a_budget_of_trained_networks_is_kept_on_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is bred whom the budget may have no room for, as long as rung 0 is not known of those in work."""
    training = {"epochs": 9, "rungs": [0, 3], "before": {"kind": "params", "promote": 0.3}}
    alone = searched(tmp_path / "alone", training=training, budget={"trained": 30}).evaluations
    monkeypatch.setitem(RUNTIMES, "serial", Youngest)
    many = searched(tmp_path / "many", training=training, budget={"trained": 30}).evaluations
    assert (alone["epochs"] > 0).sum() == (many["epochs"] > 0).sum() == 30
    assert list(many["genome"].map(tuple)) == list(alone["genome"].map(tuple))


def test_a_metric_can_stand_in(tmp_path: Path) -> None:
    """Of a metric more is taken to be better."""
    training = {**CONFIG["training"], "before": "params"}
    rows = searched(tmp_path / "run", training=training, budget={"evaluations": 40}).evaluations
    assert (rows["before.error"] == -rows["params"]).all()


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda space: lambda known, values, asked: (np.full(len(asked), np.nan),) * 2, "is \\[nan, nan, nan\\]"),
        (lambda space: lambda known, values, asked: np.zeros(len(asked)), "an array of shape \\(3,\\)"),
        (lambda space: lambda known, values, asked: (np.zeros(1), np.zeros(1)), "of shapes \\(1,\\)"),
        (lambda known, values, asked: (values, values), "missing 2 required"),
        (lambda space: None, "gives None for a space"),
    ],
)
def test_what_a_stand_in_says_is_tried_before_anything_is_trained(
    made: Any, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STAND_INS, "mine", made)
    with pytest.raises(UserError, match=f"stand-in mine: .*{says}"):
        searched(tmp_path / "run", training={**CONFIG["training"], "before": "mine"})
    assert not (tmp_path / "run").exists()


def test_a_stand_in_that_says_nan_later_stops_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(known: Any, values: np.ndarray, asked: Any) -> tuple[np.ndarray, np.ndarray]:
        found = np.full(len(asked), np.inf if len(known) > 16 else values.mean())
        return found, found

    monkeypatch.setitem(STAND_INS, "mine", lambda space: mine)
    with pytest.raises(UserError, match="stand-in mine: a prediction of error for 1 genome is \\[inf\\]"):
        searched(tmp_path / "run", training={**CONFIG["training"], "before": "mine"})


def test_a_function_of_the_users_can_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mean(known: Any, values: np.ndarray, asked: Any) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(asked), values.mean()), np.full(len(asked), values.min())

    monkeypatch.setitem(STAND_INS, "mean", lambda space: mean)
    run = searched(tmp_path / "run", training={**CONFIG["training"], "before": "mean"}, budget={"evaluations": 60})
    assert run.verify().difference == ""
    assert run.evaluations["before.error"].nunique() > 3


def test_the_audit_says_what_the_stand_in_was_worth(run: evonas.Run) -> None:
    row = stopping_audit(run.evaluations, run.objectives, run.signs).iloc[0]
    rows = run.evaluations
    drawn = (rows["before.always"] == 1) & (rows["before.gain"] < rows["before.threshold"]) & (rows["status"] == "ok")
    assert row["spared"] == drawn.sum()
    assert row["kendall_tau"] > 0.2
    assert row["stopped"] == ((rows["status"] == "stopped") & (rows["epochs"] == 0)).sum()


def decided(**before: Any) -> tuple[RungReport, bool]:
    """Of a network of 50 params, where the front is (0.1, 100) and (0.3, 20)."""
    config = load_config(CONFIG)
    objectives = Objectives(config, SPEC)
    given = {"front": ((0.1, 100.0), (0.3, 20.0)), "scales": ((0.0, 1e-9), (0.0, 1e-9)), **before}
    job = Job(Candidate(3, (0,) * 9, (), "random", 0, 0), before=Before("gain", **given))
    report = report_before(job, {"params": 50.0}, objectives)
    return report, is_stopped_before(report, job, objectives)


def test_a_gain_is_the_volume_in_logarithms_normalised_by_the_front() -> None:
    report, stopped = decided(expected={"error": 0.2}, hopeful={"error": 0.15}, threshold=0.2)
    # log(0.15 / 0.1) / log(3) = 0.3691 and log(50 / 20) / log(5) = 0.5693: up to the front's 1, 0.6309 x 0.4307; beyond
    # that the members of the front are no worse.
    assert report.metrics["before.gain"] == pytest.approx(0.6309 * 0.4307, abs=1e-4)
    assert not stopped
    assert decided(expected={"error": 0.2}, hopeful={"error": 0.15}, threshold=0.3)[1]
    assert not decided(expected={"error": 0.2}, hopeful={"error": 0.15}, threshold=0.3, always=True)[1]
    assert decided(expected={"error": 0.2}, hopeful={"error": 0.15}, threshold=0.2, chance=0.5)[1]


def test_costs_count_in_their_own_unit() -> None:
    report, _ = decided(expected={"error": 0.2}, hopeful={"error": 0.15}, scales=((0.0, 1e-9), None))
    # as above, but that 50 lies at (50 - 20) / (100 - 20) = 0.375 of the front's params
    assert report.metrics["before.gain"] == pytest.approx(0.6309 * 0.625, abs=1e-4)


@pytest.mark.parametrize(
    ("costs", "before", "by_logarithm"),
    [
        (["params"], {}, [True, True]),
        (["params", "macs"], {}, [True, False, False]),
        (["params"], {"costs": "unit"}, [True, False]),
        (["params", "macs"], {"costs": "logarithm"}, [True, True, True]),
    ],
)
def test_several_costs_count_in_their_own_units(
    costs: list[str], before: dict[str, str], by_logarithm: list[bool]
) -> None:
    named = [{"metric": name} for name in ["error", *costs]]
    config = load_config({**CONFIG, "objectives": named, "training": {"epochs": 9, "rungs": [0], "before": before}})
    objectives = Objectives(config, SPEC)
    assert objectives.before
    expecting = Expecting(objectives.before, 0, Toy(), objectives, 1)
    values = [(0.1 * i, 5.0 * i, 7.0 * i)[: len(by_logarithm)] for i in (1, 2, 3)]
    expecting._reached = {i: SimpleNamespace(fitness=SimpleNamespace(values=own)) for i, own in enumerate(values)}  # type: ignore[misc]
    assert [scale is not None for scale in expecting._scales()] == by_logarithm


def test_what_nothing_is_expected_of_is_trained() -> None:
    report, stopped = decided()
    assert not stopped
    assert set(report.metrics) == {"params", "before.always"}


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"epochs": 9, "rungs": [3], "before": "surrogate"}, "rungs has none"),
        ({"epochs": 9, "rungs": [0], "before": "surogate"}, "surrogate"),
        ({"epochs": 9, "rungs": [0], "before": {"kind": "params", "rule": "gain"}}, "leave rule out"),
        ({"epochs": 9, "rungs": [0], "before": {"promote": 0}}, "promote"),
    ],
)
def test_what_cannot_be_is_said(training: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        searched(tmp_path / "run", training=training)


@pytest.mark.parametrize("kind", ["surrogate", "params"])
def test_where_nothing_hangs_on_training_there_is_nothing_to_stand_in_for(kind: str, tmp_path: Path) -> None:
    training = {"epochs": 9, "rungs": [0], "before": kind}
    with pytest.raises(UserError, match="no objective is that"):
        searched(tmp_path / "run", training=training, objectives=[{"metric": "params"}])


def test_the_command_line_says_both_numbers(run: evonas.Run) -> None:
    untrained = ((run.evaluations["status"] == "stopped") & (run.evaluations["epochs"] == 0)).sum()
    assert f"stopped, {untrained} of them before training" in outcomes(run)


@pytest.mark.parametrize(
    ("limits", "chance"),
    [
        ({"at_least": 0.1}, 1.0),
        ({"at_most": 0.5}, 1.0),
        ({"at_least": 0.5}, 0.0),
        ({"at_most": 0.1}, 0.0),
        ({"at_least": 0.1, "at_most": 0.5}, 1.0),
        ({"at_least": 0.3}, 0.5),
    ],
)
def test_the_chance_of_a_limit_is_of_its_own_side(limits: dict[str, float], chance: float) -> None:
    """Also of an error that must not be too small, and of limits on both sides; 0.3 is expected, within 0.02."""
    config = load_config({**CONFIG, "limits": [{"metric": "error", side: bound} for side, bound in limits.items()]})
    objectives = Objectives(config, SPEC)
    assert objectives.before
    expecting, genome = Expecting(objectives.before, 0, Toy(), objectives, 2), (0,) * 10
    expecting._reached = {index: SimpleNamespace(metrics={"error": 0.3}) for index in range(16)}  # type: ignore[misc]
    expecting._stand_ins = {"error": lambda known, values, asked: (np.array([0.3]), np.array([0.29]))}
    assert expecting._expected(genome, [genome] * 16)[2] == pytest.approx(chance, abs=1e-6)
