"""Parts of a user's own that are made, registered or given wrongly: one line says what would be right."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import nn

import evonas
from evonas.commands.arguments import imported
from evonas.driver.breeding import Breeder
from evonas.errors import UserError
from evonas.evaluation import Evaluator
from evonas.evaluation.learners import FromScratch, TrainingSetup
from evonas.loading import load_config
from evonas.objectives.metrics import METRICS, Metric
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch, Evaluation, Genome, InputSpec, Status, TaskSpec
from evonas.start import prepare
from evonas.strategies import STRATEGIES, Proposal, Random
from evonas.tabular import Tabular
from evonas.tasks import TaskMetric
from evonas.tasks.metrics import directions
from tests.evaluation.small import ConvNets, bars_task, job
from tests.evaluation.small import config as small_config
from tests.synthetic import SPEC, Toy

CONFIG: dict[str, Any] = {
    "space": {"kind": "toy"},
    "task": {"kind": "toy"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "budget": {"evaluations": 2},
    "runtime": {"kind": "serial"},
}
METRIC = Metric("", compute=len)
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "direction": (lambda: Metric("", "minimise"), "direction of a metric is minimize or maximize, not 'minimise'"),
    "short direction": (lambda: Metric("", "max"), "not 'max'"),
    "stage": (lambda: Metric("", stage="later"), "stage of a metric is network, target, trained, not 'later'"),  # type: ignore[arg-type]
    "unit": (lambda: Metric(len), "unit of a metric is a text"),  # type: ignore[arg-type]
    "compute": (lambda: Metric("", compute=1.0), "compute is a function, not 1.0"),  # type: ignore[arg-type]
    "never called": (lambda: Metric("", stage="trained", compute=len), "nothing calls compute at stage trained"),
    "of a task": (lambda: TaskMetric(abs, direction="minimise"), "not 'minimise'"),  # type: ignore[arg-type]
    "statistics": (lambda: TaskMetric("error"), "statistics is a function, not 'error'"),  # type: ignore[arg-type]
    "in a spec": (lambda: TaskSpec("own", InputSpec((3,)), (1,), {"score": "max"}), "not 'max'"),
    "name in a spec": (lambda: TaskSpec("own", InputSpec((3,)), (1,), {"a score": "maximize"}), "without spaces"),
    "name of a task": (lambda: TaskSpec(len, InputSpec((3,)), (1,)), "name of a task is a text"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_metric_or_a_task_that_can_be_none_is_not_made(fault: str) -> None:
    make, line = WRONG[fault]
    with pytest.raises(ValueError, match=line):
        make()


@pytest.mark.parametrize(
    ("name", "metric", "line"),
    [
        (
            "own",
            len,
            r"METRICS\['own'\] is a builtin_function_or_method, not a Metric: give Metric\(UNIT, compute=len\)",
        ),
        ("own one", METRIC, "the name of a metric is a text without spaces and brackets, not 'own one'"),
        ("own", Metric("", stage="target"), "no target measures it"),
        ("own", Metric("", stage="trained"), "is a metric of its task"),
        ("error", METRIC, "both the task synthetic and METRICS have one of this name"),
    ],
)
def test_what_can_be_no_metric_is_refused_where_it_is_registered(
    name: str, metric: Any, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, name, metric)
    with pytest.raises(UserError, match=line):
        Objectives(load_config({**CONFIG, "record": ["params"]}), SPEC)


def test_a_metric_is_not_called_as_a_column_that_every_row_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(METRICS, "status", METRIC)
    table = Tabular(lambda genome, epochs: {"error": 0.5})
    with pytest.raises(UserError, match="metric status: every row has a column of that name"):
        prepare({**CONFIG, "record": ["status"]}, space=Toy(), task=SPEC, evaluator=table, run=tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = = 1\n", r"invalid syntax \(own_part.py, line 1\)"),
        ("\n1 / 0\n", r"ZeroDivisionError: division by zero \(own_part.py:2\)"),
        ("from evonas.objectives.metrics import Metric\nMetric('', 'max')\n", r"not 'max' \(own_part.py:2\)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(
    text: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "own_part.py").write_text(text)
    with pytest.raises(UserError, match=line):
        imported([str(tmp_path / "own_part.py")])


def toy_search(table: Tabular, run: Path, **sections: Any) -> evonas.Run:
    return evonas.search({**CONFIG, **sections}, space=Toy(), task=SPEC, evaluator=table, run=run)


def costs(genome: Genome) -> dict[str, float]:
    return {"params": 1.0 + sum(genome)}


@pytest.mark.parametrize(
    ("trained", "cost", "status", "line"),
    [
        ({"error": float("nan")}, costs, "failed:diverged", "metric error: it is nan, and must be a finite number"),
        ({"error": float("inf")}, costs, "failed:diverged", "metric error: it is inf, and must be a finite number"),
        ({"error": "low"}, costs, "failed:error", "metric error: it is 'low', and must be a finite number"),
        ({}, costs, "failed:error", "metric error: the evaluator did not give it, and the search compares by it"),
        ({"error": 0.5}, lambda genome: {}, "failed:error", "metric params: the evaluator did not give it"),
        ({"error": 0.5}, lambda genome: 1 / 0, "failed:error", "the table raises ZeroDivisionError: division by zero"),
    ],
)
def test_what_an_evaluator_gives_and_cannot_be_compared_is_a_failure(
    trained: dict[str, float], cost: Any, status: str, line: str, tmp_path: Path
) -> None:
    run = toy_search(
        Tabular(lambda genome, epochs: trained, cost), tmp_path / "run", training={"epochs": 4, "rungs": [1]}
    )
    assert run.evaluations["status"].tolist() == [status] * 2
    assert all(message.startswith(line) for message in run.evaluations["message"])
    assert run.front().empty


def test_a_number_that_nothing_names_and_is_not_finite_is_left_empty(tmp_path: Path) -> None:
    table = Tabular(lambda genome, epochs: {"error": 0.5}, lambda genome: {**costs(genome), "macs": float("nan")})
    run = toy_search(table, tmp_path / "run", training={"epochs": 4, "rungs": [1, 2]})
    assert run.evaluations["status"].tolist() == ["ok"] * 2
    assert run.evaluations["macs"].isna().all()
    assert run.evaluations["epochs"].tolist() == [4, 4]  # the last of the curve, which has a point a rung


class Wrong(Random):
    """Proposes what `wrong` makes of a proposal that is right."""

    wrong: ClassVar[Callable[[Proposal], Any]]

    def ask(self, index: int) -> Proposal:
        proposal: Proposal = type(self).wrong(super().ask(index))
        return proposal


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            lambda right: replace(right, genome=(0,) * 10),
            "for candidate 1 it proposes the network of candidate 0 again",
        ),
        (lambda right: replace(right, genome=(0,)), "a genome of Toy has 10 genes, not 1"),
        (lambda right: replace(right, genome=(9,) * 10), "stem: index 9 is not in 0..2"),
        (lambda right: replace(right, genome=[0] * 9), r"the genome \[0, .*, not a tuple of ints"),
        (lambda right: replace(right, parents=(77,)), r"the parents \(77,\), not a tuple of candidates before it"),
        (lambda right: replace(right, predicted={"errr": 1.0}), "unknown 'errr'; did you mean 'error'"),
        (lambda right: replace(right, predicted={"error.std": float("nan")}), "error.std that is nan"),
        (lambda right: replace(right, operator=""), "the operator '', not a word"),
        (lambda right: right.genome, r"^strategy wrong: for candidate 0 it proposes \(.*\), not a Proposal"),
    ],
)
def test_a_strategy_that_proposes_what_can_be_no_candidate_is_named(
    wrong: Callable[[Proposal], Any], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wrong, "wrong", staticmethod(wrong), raising=False)
    monkeypatch.setitem(STRATEGIES, "wrong", Wrong)
    config = load_config({**CONFIG, "strategy": {"kind": "wrong"}})
    breeder = Breeder(config, Toy(), Objectives(config, SPEC))
    if "candidate 1" in line:
        breeder.breed()
    with pytest.raises(UserError, match=line):
        breeder.breed()


class Odd(FromScratch):
    """Reports what `odd` makes of an epoch, and none where that is None."""

    odd: ClassVar[Callable[[Epoch], Epoch | None]]

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        for epoch in super().epochs(network, candidate, setup):
            if (found := type(self).odd(epoch)) is not None:
                yield found


@pytest.mark.parametrize(
    ("odd", "status", "line"),
    [
        (lambda e: replace(e, metrics={}), "failed:error", "metric error: the learner did not report it"),
        (lambda e: None, "failed:error", "the learner trains (`trains`) and reported no epoch"),
        (lambda e: replace(e, metrics={"error": float("nan")}), "failed:diverged", "metric error is nan after epoch 1"),
        (lambda e: replace(e, metrics={"error": float("inf")}), "failed:diverged", "metric error is inf after epoch 1"),
    ],
)
def test_an_epoch_without_the_metrics_of_the_task_is_a_failure(
    odd: Callable[[Epoch], Epoch | None], status: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Odd, "odd", staticmethod(odd), raising=False)
    task, settings = bars_task(64), small_config(training={"epochs": 1})
    evaluate = Evaluator(ConvNets(), task, settings, Objectives(settings, task.spec), learner=Odd())
    (last,) = evaluate(job())
    assert isinstance(last, Evaluation)
    assert (last.status.value, last.message[: len(line)]) == (status, line)


def test_a_metric_of_the_task_that_nothing_names_may_be_undefined() -> None:
    task = bars_task(64)
    undefined = TaskMetric(lambda output, target: output[:, 0] * float("nan"))
    metrics = {**task.metrics, "undefined": undefined}
    task = replace(task, spec=replace(task.spec, metrics=directions(metrics)), metrics=metrics)
    settings = small_config(training={"epochs": 1})
    evaluate = Evaluator(ConvNets(), task, settings, Objectives(settings, task.spec))
    (last,) = evaluate(job())
    assert isinstance(last, Evaluation)
    assert last.status is Status.OK
    assert "undefined" not in last.metrics
    named = small_config(training={"epochs": 1}, record=["undefined"])
    (last,) = Evaluator(ConvNets(), task, named, Objectives(named, task.spec))(job())
    assert isinstance(last, Evaluation)
    assert (last.status, last.message[:32]) == (Status.FAILED_DIVERGED, "metric undefined is nan after ep")
