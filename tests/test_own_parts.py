"""Parts of a user's own that are made, registered or given wrongly: one line says what would be right."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import evonas
from evonas.commands.arguments import imported
from evonas.commands.export import chosen
from evonas.config.loading import load_config
from evonas.did_you_mean import unknown
from evonas.driver.breeding import Breeder
from evonas.errors import UserError
from evonas.evaluation import Evaluator
from evonas.evaluation.learners import LEARNERS, FromScratch, TrainingSetup
from evonas.exporters import EXPORTERS, Exporter, written
from evonas.objectives.metrics import METRICS, Metric
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch, Evaluation, Genome, InputSpec, Status, TaskSpec
from evonas.spaces import SPACES, Arch, Choice, Space
from evonas.start import PreparedSearch, prepare
from evonas.strategies import STRATEGIES, Proposal, Random
from evonas.tabular import Tabular
from evonas.tasks import TASKS, TaskMetric
from evonas.tasks.metrics import directions
from tests.evaluation.small import ConvNets, bars_task, job
from tests.evaluation.small import config as small_config
from tests.forging import forge_cell
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


def test_what_is_no_column_is_not_recorded_and_a_run_that_has_it_is_verified(tmp_path: Path) -> None:
    """A table may know more costs than a search asks for."""
    table = Tabular(lambda genome, epochs: {"error": 0.5, "auc": 1.0}, lambda g: {**costs(g), "latency_ms[board]": 2.0})
    run = toy_search(table, tmp_path / "run", training={"epochs": 4, "rungs": [1]})
    known = [set(rung["metrics"]) for rungs in run.evaluations["rungs"] for rung in rungs]
    assert known == [{"error", "params"}] * 4
    assert run.verify().difference == ""

    def more(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**rung, "metrics": {**dict(rung["metrics"]), "latency_ms[board]": 2.0}} for rung in rungs]

    forge_cell(tmp_path / "run", "evaluations", 1, "rungs", 0, more)  # as it was recorded once
    assert evonas.load(tmp_path / "run", space=Toy()).verify().difference == ""


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


def prepared(run: Path, **sections: Any) -> PreparedSearch:
    return prepare({**CONFIG, "training": {"epochs": 1}, **sections}, run=run / "run")


class NoBuild(Space):
    width = Choice(1, 2)


class NoGenes(Space):
    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        raise NotImplementedError


class Silent:
    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        return iter(())


class Cut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[..., :3].float()


TASK = bars_task(64)
TOKENS = replace(TASK.spec, input=InputSpec((1, 8, 8), "uint8", 200))
OWN: dict[str, tuple[dict[str, Any], str, Any, str]] = {
    "learner without trains": (LEARNERS, "learner", Silent, "Silent does not say whether it trains"),
    "learner as an object": (LEARNERS, "learner", FromScratch(), "registered as a FromScratch, not as what makes one"),
    "space as an object": (SPACES, "space", ConvNets(), "registered as a ConvNets, not as what makes one"),
    "space without build": (SPACES, "space", NoBuild, "NoBuild has no build; define it"),
    "space without genes": (SPACES, "space", NoGenes, "NoGenes has no genes"),
    "no space": (SPACES, "space", lambda: 3, "space: takes a Space, not 3"),
    "no task": (TASKS, "task", lambda: None, "task: own returns None; return a Task"),
    "task that raises": (TASKS, "task", lambda: 1 / 0, r"task: own raises ZeroDivisionError: .* \(test_own_parts.py:"),
    "metric as a function": (TASKS, "task", lambda: replace(TASK, metrics={"error": len}), "not a TaskMetric: give"),
    "prepare as a function": (TASKS, "task", lambda: replace(TASK, prepare=abs), "not an nn.Module"),
    "prepared shape": (TASKS, "task", lambda: replace(TASK, prepare=Cut()), r"gave \(64, 1, 8, 3\) for 64 examples"),
    "prepared type": (TASKS, "task", lambda: replace(TASK, spec=TOKENS), "gave float32, the spec says uint8"),
    "high": (
        TASKS,
        "task",
        lambda: replace(TASK, spec=TOKENS, prepare=nn.Identity()),
        "numbers 0 to 255, the spec 0 to 199",
    ),
}


@pytest.mark.parametrize("fault", OWN)
def test_a_part_that_is_none_is_one_line_at_the_start(
    fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    registry, section, part, line = OWN[fault]
    for other, names in ((SPACES, "space"), (TASKS, "task")):
        monkeypatch.setitem(other, "toy", {"space": ConvNets, "task": lambda: TASK}[names])
    monkeypatch.setitem(registry, "own", part)
    with pytest.raises(UserError, match=line):
        prepared(tmp_path, **{section: {"kind": "own"}})


def test_a_class_in_the_place_of_a_space_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"space: takes a Space, not Toy itself; give Toy\(\)"):
        evonas.search(CONFIG, space=Toy, task=SPEC, evaluator=Tabular(len), run=tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exporter", "line"),
    [
        (Exporter(lambda network, x: "text"), "write gave str, not bytes"),  # type: ignore[arg-type,return-value]
        (Exporter(lambda network, x: b""), "write gave nothing, not bytes"),
        (Exporter(lambda network, x: b"x", lambda file, x: None), "run of the exporter gave a NoneType"),  # type: ignore[arg-type,return-value]
        (Exporter(lambda network, x: b"x", lambda file, x: np.zeros((2, 2))), r"has the shape \(2, 2\), not \(3, 5\)"),
    ],
)
def test_an_exporter_that_gives_something_else_is_told(exporter: Exporter, line: str) -> None:
    with pytest.raises(UserError, match=line):
        written(exporter, nn.Linear(4, 5), torch.ones(2, 4))


def test_a_hint_with_another_field_is_refused_where_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"has another field than \{path\}: KeyError"):
        Exporter(lambda network, x: b"x", hint="{nope}")
    monkeypatch.setitem(EXPORTERS, "own", len)
    with pytest.raises(UserError, match="not an Exporter: give"):
        chosen("net.own", None)


def test_the_messages_of_a_run_by_table_say_what_is_so(tmp_path: Path) -> None:
    run = toy_search(Tabular(lambda genome, epochs: {"error": 0.5}, costs), tmp_path / "run")
    with pytest.raises(UserError, match="no network was trained, so there are no weights"):
        run.build(0)
    with pytest.raises(UserError, match=r"SPACES\['Toy'\] = "):
        evonas.load(tmp_path / "run").verify()


def test_a_name_is_not_suggested_in_its_own_place() -> None:
    assert unknown("depth", ["depth"]) == "unknown 'depth' (known: depth)"
    assert "did you mean 'depths'" in unknown("depth", ["depth", "depths"])
