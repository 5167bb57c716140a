"""How networks get their weights: each learner, what a search with it records, and training that goes on."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import nn

import evonas
from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.evaluation import Evaluator
from evonas.evaluation.batches.device_data import Resident, to_device
from evonas.evaluation.learners import LEARNERS, FromScratch, NoTraining, TrainingSetup
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.scoring import score
from evonas.measuring.torch_state import seeded
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch, Fitness, Status
from evonas.tasks import Task, classification
from evonas.testing import check_learner
from tests.evaluation.small import ConvNets, bars_task, config, conv_net, evaluator, job, run

TASK = bars_task()
DATA = to_device(TASK, "cpu")
ONE = Candidate(0, (1,), (), "random", 0, seed=11)


class EndsAfter:
    """Training from scratch for fewer epochs than the config names."""

    trains = True

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        for epoch in FromScratch().epochs(network, candidate, setup):
            yield epoch
            if epoch.epoch == self._epochs:
                return


def fresh(width: int = 4) -> nn.Module:
    with seeded(0):
        return conv_net(width, TASK.spec)


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# -- learners --


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_learner_keeps_its_contract(kind: str) -> None:
    check_learner(LEARNERS[kind](), TASK, fresh())


def test_scratch_is_the_trainer() -> None:
    training = TrainingConfig(epochs=3, batch_size=32)
    one, other = fresh(), fresh()
    epochs = list(FromScratch().epochs(one, ONE, TrainingSetup(TASK, DATA, training)))
    assert epochs == list(Trainer(other, DATA, TASK, training, ONE.seed).epochs())
    assert same(one, other)


def test_none_leaves_a_network_as_it_was() -> None:
    network = fresh()
    assert not NoTraining().trains
    assert list(NoTraining().epochs(network, ONE, TrainingSetup(TASK, DATA, TrainingConfig()))) == []
    assert same(network, fresh())


SEARCH: dict[str, Any] = {
    "training": {"epochs": 4, "batch_size": 64},
    "strategy": {"kind": "nsga2", "population": 4},
    "runtime": {"kind": "serial"},
}


def test_a_search_without_training(tmp_path: Path) -> None:
    sections = {
        **SEARCH,
        "learner": {"kind": "none"},
        "objectives": [{"metric": "params"}, {"metric": "macs"}],
        "budget": {"evaluations": 4},
    }
    found = evonas.search(sections, space=ConvNets(), task=TASK, run=tmp_path / "run")
    rows = found.evaluations
    assert set(rows["status"]) == {"ok"}
    assert [len(curve) for curve in rows["curve"]] == [0, 0, 0, 0]
    assert rows["error"].isna().all()
    assert (rows["train_s"] < 0.01).all()
    assert sorted(rows["params"]) == sorted(sum(p.numel() for p in fresh(w).parameters()) for w in (2, 4, 16, 64))
    assert [len(rungs) for rungs in rows["rungs"]] == [1, 1, 1, 1]
    front = found.front()["candidate"].tolist()
    assert front == [rows.loc[rows["params"].idxmin(), "candidate"]]
    assert isinstance(found.build(front[0]), nn.Module)
    verdict = evonas.load(tmp_path / "run", ConvNets()).verify()
    assert (verdict.difference, verdict.candidates) == ("", 4)


@pytest.mark.parametrize("mode", ["window", "async", "generation"])
def test_a_learner_that_ends_before_a_rung(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last epoch counts as full training; the rung that it never saw is missing, and nothing waits for it."""
    monkeypatch.setitem(LEARNERS, "ends", lambda: EndsAfter(2))
    sections = {
        **SEARCH,
        "training": {"epochs": 4, "batch_size": 64, "rungs": [1, 3]},
        "learner": {"kind": "ends"},
        "schedule": {"mode": mode},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "budget": {"evaluations": 8},
    }
    found = evonas.search(sections, space=Many(), task=TASK, run=tmp_path / "run")
    rows = found.evaluations
    assert len(rows) == 8
    assert set(rows["status"]) <= {"ok", "stopped"}
    for row in rows.to_dict("records"):
        rungs = [report["rung"] for report in row["rungs"]]
        assert rungs == ([0, 2] if row["status"] == "ok" else [0])
        assert row["epochs"] == (2 if row["status"] == "ok" else 1)
        assert row["error"] == row["curve"][-1]["valid_metric"]
    assert evonas.load(tmp_path / "run", Many()).verify().difference == ""


class Many(ConvNets):
    width = evonas.Choice(*range(1, 30))


def test_what_a_short_training_reached_is_in_its_row() -> None:
    of = config({"epochs": 8})
    evaluate = Evaluator(ConvNets(), TASK, of, Objectives(of, TASK.spec), learner=EndsAfter(3))
    _, last = run(evaluate, job())
    assert last.status is Status.OK
    assert [epoch.epoch for epoch in last.curve] == [1, 2, 3]
    assert last.metrics["error"] == last.curve[-1].valid_metric
    assert last.weights


# -- training that goes on --


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_training_goes_on_after_any_epoch_with_the_same_bits(optimizer: str, after: int) -> None:
    training = TrainingConfig.model_validate(
        {"epochs": 3, "batch_size": 32, "optimizer": optimizer, "augment": {"flip": True}, "learning_rate": 0.01}
    )
    whole = fresh()
    curve = list(Trainer(whole, DATA, TASK, training, 5).epochs())
    first = Trainer(fresh(), DATA, TASK, training, 5)
    epochs = first.epochs()
    head = [next(epochs) for _ in range(after)]
    state = first.state()
    second = Trainer(fresh(), DATA, TASK, training, 5)
    list(second.epochs())  # whatever it was before
    second.load(state)
    assert second.epoch == after
    assert head + list(second.epochs()) == curve
    assert same(second.network, whole)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_state_of_another_network_is_refused(optimizer: str) -> None:
    training = TrainingConfig.model_validate({"epochs": 1, "batch_size": 64, "optimizer": optimizer})
    wide = Trainer(fresh(8), DATA, TASK, training, 0)
    list(wide.epochs())
    with pytest.raises(ValueError, match="the state is of another network: ") as caught:
        Trainer(fresh(4), DATA, TASK, training, 0).load(wide.state())
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="the state is of another network"):
        Trainer(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), DATA, TASK, training, 0).load(wide.state())


def test_a_state_does_not_change_while_training_goes_on() -> None:
    trainer = Trainer(fresh(), DATA, TASK, TrainingConfig(epochs=2, batch_size=64), 0)
    epochs = trainer.epochs()
    next(epochs)
    state = trainer.state()
    kept = load(state)["network.0.weight"].clone()
    next(epochs)
    assert torch.equal(load(state)["network.0.weight"], kept)
    assert not torch.equal(trainer.network.state_dict()["0.weight"], kept)


# -- scores --


def test_scores_of_any_split_by_hand() -> None:
    task = classification("bars", TASK.splits, ("error", "accuracy", "f1"))
    network = fresh().eval()
    for split in (task.splits.valid, task.splits.test):
        found = score(network, Resident(split, DATA.device), DATA, task)
        with torch.inference_mode():
            logits = network(task.prepare(torch.from_numpy(split.x)))
        y = torch.from_numpy(split.y)
        assert found.loss == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
        assert found.metrics["error"] == pytest.approx((logits.argmax(1) != y).double().mean().item())
        assert found.metrics["accuracy"] == pytest.approx(1 - found.metrics["error"])
        assert list(found.metrics) == ["error", "accuracy", "f1"]


def test_scoring_changes_no_weight() -> None:
    network = fresh().train()
    before = copy.deepcopy(network)
    score(network, DATA.valid, DATA, TASK)
    assert same(network, before)


# -- several trained metrics --


def two_metrics() -> Task:
    return classification("bars", TASK.splits, ("f1", "error", "auc"))


def test_several_trained_metrics_are_objectives_and_limits_at_every_rung() -> None:
    task = two_metrics()
    of = config(
        {"epochs": 3, "rungs": [1, 2]},
        objectives=[{"metric": "f1"}, {"metric": "auc"}],
        limits=[{"metric": "error", "at_most": 0.9}],
    )
    evaluate = evaluator(task=task, of=of)
    passed, last = run(evaluate, job())
    assert last.status is Status.OK
    for report, epoch in zip((*passed, last.rungs[-1]), last.curve, strict=True):
        assert {name: report.metrics[name] for name in ("f1", "error", "auc")} == dict(epoch.metrics)
        fitness = evaluate.objectives.fitness(report)
        assert fitness.values == (-epoch.metrics["f1"], -epoch.metrics["auc"])
    best = Fitness(1, 0, (-1.0, -1.0))
    _, stopped = run(evaluate, job(cutoffs=((best,), ())))
    assert stopped.status is Status.STOPPED
    middling = Fitness(1, 0, (-1.0, 0.0))  # perfect in the one, worse in the other: nothing is dominated
    _, whole = run(evaluate, job(cutoffs=((middling,), ())))
    assert whole.status is Status.OK


def test_a_limit_on_a_trained_metric_stops_at_a_rung_where_others_are_within() -> None:
    of = config(
        {"epochs": 3, "rungs": [1]},
        objectives=[{"metric": "params"}, {"metric": "f1"}],
        limits=[{"metric": "error", "at_most": -0.5}],
    )
    evaluate = evaluator(task=two_metrics(), of=of)
    _, last = run(evaluate, job(cutoffs=((Fitness(1, 0, (1e9, 0.0)),),)))
    assert last.status is Status.STOPPED
    assert evaluate.objectives.fitness(last.rungs[0]).violation == pytest.approx((last.metrics["error"] + 0.5) / 0.5)


# -- other jobs --


CPU = {"cpu": {"max_seconds": 0.02}}


def test_a_measuring_job_takes_a_candidate_to_its_targets_alone() -> None:
    of = config(objectives=[{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}], targets=CPU)
    _, last = run(evaluator(of=of), replace(job(), kind="measure"))
    assert last.status is Status.OK
    assert last.metrics["latency_ms[cpu]"] > 0
    assert "error" not in last.metrics
    assert (last.curve, last.rungs, last.weights, last.train_s) == ((), (), None, 0.0)


def test_what_is_recorded_of_a_target_alone_has_its_column() -> None:
    of = config(record=["memory_mb[cpu]", "macs"], targets=CPU)
    evaluate = evaluator(of=of)
    assert evaluate.objectives.names == ("error", "params")
    _, last = run(evaluate, job())
    assert last.metrics["memory_mb[cpu]"] > 0
    assert set(last.metrics) == set(evaluate.objectives.metrics)


# -- the evaluator of a run --


def test_a_run_says_what_evaluated_it_and_goes_on_with_that_alone(tmp_path: Path) -> None:
    from evonas.tabular import Tabular
    from tests.synthetic import SPEC, Toy

    sections = {**SEARCH, "objectives": [{"metric": "error"}, {"metric": "params"}], "budget": {"evaluations": 4}}
    table = Tabular(
        lambda genome, epochs: {"error": sum(genome) / 100 / epochs}, lambda genome: {"params": 1.0 + sum(genome)}
    )
    here = {"space": Toy(), "run": tmp_path / "run"}
    found = evonas.search(sections, task=SPEC, evaluator=table, **here)
    assert found.description["evaluator"] == "Tabular"
    with pytest.raises(UserError, match="evaluator is Tabular there, Other here; give another --run"):
        evonas.search(sections, task=SPEC, evaluator=Other(), **here)
    trained = evonas.search(
        {
            **sections,
            "space": {"kind": "cell"},
            "task": {"kind": "digits"},
            "training": {"epochs": 1},
            "budget": {"evaluations": 1},
        },
        run=tmp_path / "trained",
    )
    assert trained.description["evaluator"] == ""


class Other:
    def __call__(self, *parts: Any) -> Any:
        raise AssertionError("never made")
