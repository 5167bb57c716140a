"""Training that is paused at each rung: who is promoted, that a record gives it again, and what a checkpoint is for."""

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.commands.search import outcomes
from evonas.config.loading import load_config
from evonas.driver.breeding import Breeder
from evonas.errors import UserError
from evonas.objectives.objectives import Objectives, dominates
from evonas.objectives.promotion import Promotions
from evonas.records import Evaluation, Fitness, Job, RungReport
from evonas.report.summary import summary
from tests.forging import forge_cell
from tests.synthetic import CURVES, OF_CURVES, SPEC, Toy

CONFIG: dict[str, Any] = {
    **OF_CURVES,
    "training": {"epochs": 27, "rungs": [3, 9], "stopping": "pause", "promote": 0.34},
    "budget": {"evaluations": 90},
}


def searched(folder: Path, **changes: Any) -> evonas.Run:
    return evonas.search({**CONFIG, **changes}, space=Toy(), task=SPEC, evaluator=CURVES, run=folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return searched(tmp_path_factory.mktemp("paused") / "run")


def ladder(known: list[Fitness], gone: list[tuple[int, int]], share: float) -> tuple[int, int] | None:
    """The rule by its definition: levels by peeling off fronts, the best of the share, the first that is left."""
    for rung in (1, 0):
        rest, ordered = [one for one in known if one.rung == rung], list[Fitness]()
        while rest:
            front = [one for one in rest if not any(dominates(other, one) for other in rest)]
            ordered += sorted(front, key=lambda one: (one.values[1], one.index))
            rest = [one for one in rest if one not in front]
        for one in ordered[: int(share * len(ordered) + 1e-9)]:
            if (one.index, rung) not in gone:
                return one.index, rung
    return None


@pytest.mark.parametrize("share", [0.5, 0.34, 0.1])
def test_the_next_one_is_the_first_of_the_best_share_from_the_last_rung_down(share: float) -> None:
    rng, promotions = random.Random(7), Promotions(2, share, learnt=1)
    known: list[Fitness] = []
    gone: list[tuple[int, int]] = []
    for index in range(120):
        one = Fitness(index, rng.choice([0, 0, 1, 2]), (rng.randrange(9), rng.randrange(9)), rng.choice([0, 0, 0, 0.5]))
        promotions.add(one)
        known.append(one)
        found = promotions.next()
        assert found == ladder(known, gone, share)
        if found:
            gone.append(found)
            promotions.gone(*found)
    assert {rung for _, rung in gone} == ({0, 1} if share > 0.2 else {rung for _, rung in gone})


def promotions_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["operator"].str.startswith("promote:")]


def test_a_promotion_trains_on_the_network_of_its_parent(run: evonas.Run) -> None:
    rows = run.evaluations.set_index("candidate")
    promoted = promotions_of(rows)
    assert len(promoted) > 15
    for _, row in promoted.iterrows():
        parent = rows.loc[row["parents"][0]]
        assert parent["status"] == "stopped"
        assert [*row["genome"]] == [*parent["genome"]]
        assert row["seed"] == parent["seed"]
        assert len(row["rungs"]) == len(parent["rungs"]) + 1 == int(row["operator"][-1]) + 1
    assert not promoted["parents"].map(tuple).duplicated().any(), "nobody is promoted twice from a rung"
    new = rows.drop(promoted.index)
    assert not new["arch_hash"].duplicated().any()
    assert (new["status"] == "stopped").all()
    trained = rows[rows["status"] == "ok"]
    assert set(trained["operator"]) == {"promote:2"}
    assert set(run.front()["candidate"]) <= set(trained.index)


def test_no_population_holds_a_network_twice(run: evonas.Run) -> None:
    hashes = run.evaluations.set_index("candidate")["arch_hash"]
    for _, members in run.populations.groupby("generation"):
        assert not hashes[members["candidate"]].duplicated().any()


def test_a_population_is_as_large_as_it_is_to_be(run: evonas.Run) -> None:
    """Nobody loses a place to one whose training went on as another."""
    sizes = run.populations.groupby("generation").size()
    assert (sizes[1:] == 8).all()


def test_who_went_on_is_told_apart_from_who_was_stopped(run: evonas.Run) -> None:
    promoted = run.evaluations["operator"].str.startswith("promote:").sum()
    assert f"{promoted} of them went on as candidates of their own" in outcomes(run)
    assert f"{promoted} of those stopped early were paused" in " ".join(summary(run, run.front()))


def test_a_search_that_takes_a_paused_one_over_has_each_network_once(run: evonas.Run, tmp_path: Path) -> None:
    config = {**CONFIG, "training": {"epochs": 27, "rungs": [3, 9]}}
    given: dict[str, Any] = {"space": Toy(), "task": SPEC, "evaluator": CURVES, "from_run": run.folder}
    found = evonas.search(config, run=tmp_path / "run", **given)
    assert found.verify().difference == ""
    before = {"epochs": 27, "rungs": [0, 3], "before": "params"}
    with pytest.raises(UserError, match=r"takes over no evaluations where training\.rungs has 0.*--founders"):
        evonas.search({**CONFIG, "training": before}, run=tmp_path / "other", **given)


def test_the_record_gives_each_promotion_again(run: evonas.Run) -> None:
    verdict = run.verify()
    assert (verdict.difference, verdict.bred) == ("", True)


@pytest.mark.parametrize("mode", ["window", "generation"])
@pytest.mark.parametrize("in_flight", [2, 7])
def test_the_search_is_the_same_for_any_number_of_workers(in_flight: int, mode: str) -> None:
    alone, together = (births(count, mode) for count in (1, in_flight))
    assert together == alone
    assert sum(operator.startswith("promote:") for _, operator in alone) > 10


def births(in_flight: int, mode: str, count: int = 80) -> list[tuple[Any, str]]:
    """Of a search in which evaluations come as late as `in_flight` candidates allow, the youngest first."""
    config = load_config({**CONFIG, "schedule": {"mode": mode}})
    objectives = Objectives(config, SPEC)
    breeder, evaluate = Breeder(config, Toy(), objectives), CURVES(Toy(), config, objectives)
    waiting: list[Job] = []
    born: list[tuple[Any, str]] = []
    while len(born) < count:
        if len(waiting) < in_flight and breeder.ready():
            waiting.append(breeder.breed())
            born.append((waiting[-1].candidate.genome, waiting[-1].candidate.operator))
            continue
        for message in evaluate(waiting.pop()):
            assert not isinstance(message, RungReport), "training ends at the first rung that is not known"
            assert isinstance(message, Evaluation)
            breeder.buffer.add_evaluation(message)
    return born


def test_a_search_that_goes_on_is_the_same(run: evonas.Run, tmp_path: Path) -> None:
    searched(tmp_path / "run", budget={"evaluations": 47})
    again = searched(tmp_path / "run").evaluations
    columns = ["genome", "status", "operator", "parents", "error"]
    assert again[columns].astype(str).equals(run.evaluations[columns].astype(str))


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("status", "ok", "passed rung 1, which is not as it is paused"),
        ("parents", lambda parents: [parents[0] - 1], "parents is"),
    ],
)
def test_what_was_changed_is_named(column: str, value: Any, says: str, tmp_path: Path) -> None:
    run = searched(tmp_path / "run", budget={"evaluations": 40})
    row = run.evaluations[run.evaluations["operator"] == "promote:1"].iloc[-1]
    forge_cell(tmp_path / "run", "evaluations", int(row["generation"]), column, int(row["position"]) % 8, value)
    assert says in evonas.load(tmp_path / "run", space=Toy()).verify().difference


@pytest.mark.parametrize(
    ("training", "says"),
    [
        ({"epochs": 9, "stopping": "pause"}, "needs rungs to pause at"),
        ({"epochs": 9, "rungs": [0], "stopping": "pause"}, r"behind rung 0; e\.g\. training\.rungs=\[0, 1, 3\]"),
        ({"epochs": 9, "rungs": [3], "stopping": "paus"}, "stopping"),
    ],
)
def test_what_cannot_be_is_said(training: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        searched(tmp_path / "run", training=training)


def test_what_another_run_evaluated_is_not_taken_over(run: evonas.Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--founders"):
        evonas.search(CONFIG, space=Toy(), task=SPEC, evaluator=CURVES, run=tmp_path / "run", from_run=run.folder)
