"""A part of one's own that is used wrongly is one clear line: at the start where it can be known, else in the row."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import evonas
from evonas.cli import main
from evonas.errors import Halted, UserError
from evonas.evaluation import Evaluator
from evonas.evaluation.learners import LEARNERS
from evonas.evaluation.task_loss import WANTED, check_loss
from evonas.evaluation.task_metrics import MetricError, check_metrics
from evonas.evaluation.training.scoring import score
from evonas.objectives.metrics import METRICS, Metric
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch, Status, TaskSpec
from evonas.tasks import Split, Splits, Task, TaskMetric, classification, regression
from tests.evaluation.small import ConvNets, bars_task, config, evaluator, job, run

CONFIG: dict[str, Any] = {
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "training": {"epochs": 1},
    "budget": {"evaluations": 2},
    "strategy": {"population": 2},
    "runtime": {"kind": "serial"},
}


def refused(tmp_path: Path, task: Task | None = None, **sections: Any) -> str:
    """The one line with which a search is refused before it starts."""
    with pytest.raises(UserError) as caught:
        evonas.search({**CONFIG, **sections}, space=ConvNets(), task=task or bars_task(), run=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        (
            {"learner": {"kind": "skratch"}},
            "learner.kind: unknown 'skratch'; did you mean 'scratch'? (known: none, scratch)",
        ),
        ({"learner": {"kind": "scratch", "epochs": 3}}, "learner: unknown 'epochs'"),
        ({"record": ["nonsense"]}, "record.0.metric: unknown 'nonsense'"),
        ({"record": ["params", "memory_mb"]}, "record.1: memory_mb needs a target"),
        ({"record": ["memory_mb[gpu]"], "targets": {"cpu": {}}}, "record.0.target: unknown 'gpu'"),
        ({"record": ["params[cpu]"], "targets": {"cpu": {}}}, "record.0.target: params does not depend on a target"),
        (
            {"learner": {"kind": "none"}},
            "learner none trains nothing, so error is never known; name costs, latencies or other metrics of the "
            "network as objectives and limits, or train: learner: {kind: scratch}",
        ),
        (
            {
                "learner": {"kind": "none"},
                "objectives": [{"metric": "params"}],
                "limits": [{"metric": "error", "at_most": 1}],
            },
            "learner none trains nothing, so error is never known",
        ),
        (
            {
                "learner": {"kind": "none"},
                "objectives": [{"metric": "params"}],
                "training": {"epochs": 2, "rungs": [1]},
            },
            "learner none trains nothing, so no rung is reached; leave training.rungs out",
        ),
        (
            {"objectives": [{"metric": "f1"}]},
            "objectives.0.metric: f1 is not listed by the task; add it to task.metrics: [error, f1]",
        ),
    ],
)
def test_a_config_that_cannot_be(sections: dict[str, Any], line: str, tmp_path: Path) -> None:
    assert refused(tmp_path, **sections).startswith(line)


def test_a_metric_that_nothing_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "depth", Metric("layers"))
    found = refused(tmp_path, record=["depth"])
    assert found == "metric depth: nothing computes it; give METRICS['depth'] a function as `compute`"


def hits(output: Tensor, target: Tensor) -> Tensor:
    return (output.argmax(1) == target).float()


def with_metric(statistics: Callable[..., Any], reduce: Callable[..., Any] = torch.mean, share: bool = False) -> Task:
    task = bars_task()
    own = {"error": task.metrics["error"], "own": TaskMetric(statistics, reduce, share=share)}
    return replace(task, spec=replace(task.spec, metrics=dict.fromkeys(own, "minimize")), metrics=own)


WRONG_METRICS: dict[str, tuple[Task, str]] = {
    "one number a batch": (
        with_metric(lambda output, target: hits(output, target).mean()),
        "statistics of 3 examples have the shape (), not (3,) or (3, k): give one row an example; what is a number of "
        "all examples at once belongs into `reduce`",
    ),
    "one row a batch": (
        with_metric(lambda output, target: hits(output, target).mean()[None]),
        "statistics of 3 examples have the shape (1,)",
    ),
    "outputs for rows": (
        with_metric(lambda output, target: output.T),
        "statistics of 3 examples have the shape (2, 3), not (3,) or (3, k)",
    ),
    "three axes": (
        with_metric(lambda output, target: output[:, None]),
        "statistics of 3 examples have the shape (3, 1, 2)",
    ),
    "a float": (
        with_metric(lambda output, target: hits(output, target).mean().item()),
        "statistics of 3 examples have the shape float",
    ),
    "raises": (
        with_metric(lambda output, target: output - target.reshape(7)),
        "statistics of outputs (3, 2) and targets (3,) raise RuntimeError",
    ),
    "rows for a metric": (
        with_metric(hits, lambda rows: rows),
        "reduce gives the shape (3, 1), not a tensor of one number",
    ),
    "a float for a metric": (with_metric(hits, lambda rows: 0.5), "reduce gives the type float"),
    "a number of the batch for each example": (
        with_metric(lambda output, target: hits(output, target).mean().expand(len(target))),
        "the statistics of an example are others where other examples are in the batch: give what follows from one "
        "example, what is a number of all examples at once belongs into `reduce`",
    ),
    "no batch of one": (
        with_metric(lambda output, target: hits(output, target).squeeze()),
        "statistics of 1 examples have the shape (), not (1,) or (1, k)",
    ),
    "not a number": (
        with_metric(hits, lambda rows: rows.mean() * float("nan")),
        "it is nan of all 192 validation examples with made-up outputs; it must be a finite number",
    ),
    "a share of what is no 0 or 1": (
        with_metric(lambda output, target: output[:, 0], share=True),
        "it is said to be a share, but the statistic of an example is not 0 or 1",
    ),
    "complex": (
        with_metric(hits, lambda rows: rows.mean().to(torch.complex64)),
        "reduce gives a complex number, not a tensor of one number",
    ),
    "truth values have no mean": (
        with_metric(lambda output, target: output.argmax(1) == target),
        "reduce of the statistics (192, 1) of all validation examples raises RuntimeError",
    ),
}


@pytest.mark.parametrize("fault", WRONG_METRICS)
def test_a_task_s_metric_that_cannot_be_is_refused_at_the_start(fault: str, tmp_path: Path) -> None:
    task, line = WRONG_METRICS[fault]
    assert refused(tmp_path, task).startswith(f"task bars: metric own: {line}")


def test_metrics_are_tried_without_a_trace_and_may_refuse_so_few_examples() -> None:
    def both_classes(rows: Tensor) -> Tensor:
        if len(rows) < 10:
            raise ValueError("too few")
        return rows.mean()

    torch.manual_seed(3)
    before = torch.get_rng_state()
    task = with_metric(hits, both_classes)
    check_metrics(task)
    assert torch.equal(torch.get_rng_state(), before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_metrics(classification("bars", task.splits, ("f1", "auc")))
    one = Split(np.ones((1, 2), np.float32), np.ones(1, np.float32))
    check_metrics(regression("one example", Splits(one, one, one), ("mse",)))
    with pytest.raises(UserError, match=r"metric r2: reduce of the statistics .* of all validation examples raises"):
        check_metrics(regression("one example", Splits(one, one, one), ("r2",)))


def test_a_metric_of_probabilities_is_tried_with_such() -> None:
    check_metrics(with_metric(lambda output, target: output[:, 0].log()))
    check_metrics(with_metric(lambda output, target: F.binary_cross_entropy(output, output, reduction="none")))


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (lambda output, target: output.mean(), "the loss of outputs (192, 2) and targets (192,) raises TypeError"),
        (lambda output, target, smoothing: F.cross_entropy(output, target, reduction="none"), "the shape (192,): take"),
        (lambda output, target, smoothing: output.mean().reshape(1), "the shape (1,): take"),
        (lambda output, target, smoothing: output.mean().item(), "the loss gives a float; "),
        (lambda output, target, smoothing: output.detach().mean(), "the loss has no gradient: "),
        (lambda output, target, smoothing: (output.argmax(1) == target).sum(), "the loss gives int64; "),
    ],
)
def test_a_loss_that_training_cannot_lower_is_refused_at_the_start(
    loss: Callable[..., Any], line: str, tmp_path: Path
) -> None:
    said = refused(tmp_path, replace(bars_task(), loss=loss))
    assert said.startswith("task bars: the loss ")
    assert line in said
    assert said.endswith(WANTED)


def test_a_loss_is_tried_with_probabilities_too_and_without_a_trace() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_loss(replace(bars_task(), loss=lambda output, target, smoothing: F.binary_cross_entropy(output, output)))
    check_loss(replace(bars_task(), loss=lambda output, target, smoothing: (output * torch.rand(1)).mean()))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_s_number_is_noticed_among_many_classes() -> None:
    task = bars_task()
    many = replace(task, spec=replace(task.spec, output_shape=(1000,)))
    check_metrics(many)
    average = {"error": TaskMetric(lambda output, target: hits(output, target).mean().expand(len(target)))}
    with pytest.raises(UserError, match="other examples are in the batch"):
        check_metrics(replace(many, metrics=average))


def test_targets_that_are_texts_are_refused_in_one_line() -> None:
    task = bars_task()
    valid = Split(task.splits.valid.x, np.array(["a"] * len(task.splits.valid)))
    with pytest.raises(UserError, match="task bars: targets are of <U1, which no loss takes; give int64 classes"):
        check_metrics(replace(task, splits=replace(task.splits, valid=valid)))


def test_statistics_that_go_wrong_later_are_a_row_all_the_same() -> None:
    task = with_metric(lambda output, target: hits(output, target)[: 60 if len(output) > 60 else len(output)])
    _, last = run(evaluator(task=task), job())
    assert last.status is Status.FAILED_ERROR
    assert last.message.startswith("metric own: statistics of 192 examples have the shape (60,), not (192,)")
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    evaluate = evaluator(task=bars_task())
    with pytest.raises(MetricError, match="metric own"):
        score(network, evaluate.data.valid, evaluate.data, task)


@pytest.mark.parametrize(
    ("compute", "line"),
    [
        (lambda *_: float("nan"), "metric own: it is nan, and must be a finite number"),
        (lambda *_: float("inf"), "metric own: it is inf, and must be a finite number"),
        (lambda *_: 1 / 0, "ZeroDivisionError: division by zero (test_openings.py:"),
        (lambda *_: "deep", "ValueError: could not convert string to float: 'deep'"),
    ],
)
def test_a_metric_of_the_network_that_cannot_be_computed_is_a_row(
    compute: Callable[..., Any], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "own", Metric("", compute=compute))
    _, last = run(evaluator(of=config(record=["own"])), job())
    assert last.status is Status.FAILED_ERROR
    assert last.message.startswith(line)
    assert last.metrics["params"] == 366, "what was known by then is kept"


def test_a_search_whose_metric_is_never_finite_stops_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, "own", Metric("", compute=lambda *_: float("nan")))
    settings = {**CONFIG, "record": ["own"], "budget": {"evaluations": 100}}
    with pytest.raises(Halted, match="metric own: it is nan, and must be a finite number"):
        evonas.search(settings, space=ManyConvNets(), task=bars_task(), run=tmp_path / "run")


class ManyConvNets(ConvNets):
    width = evonas.Choice(*range(1, 40))


def test_a_task_whose_spec_names_other_metrics() -> None:
    task = bars_task()
    with pytest.raises(UserError, match=r"task bars: its metrics are {'own': 'minimize'}, its spec says {'error'"):
        replace(task, metrics={"own": task.metrics["error"]})
    with pytest.raises(UserError, match=r"its metrics are {'error': 'maximize'}"):
        replace(task, metrics={"error": replace(task.metrics["error"], direction="maximize")})
    two = {"error": task.metrics["error"], "own": task.metrics["error"]}
    spec = TaskSpec("bars", task.spec.input, (2,), {"own": "minimize", "error": "minimize"})
    with pytest.raises(UserError, match="its metrics are"):  # the first is the main one
        replace(task, spec=spec, metrics=two)


def test_a_learner_that_raises_is_a_row() -> None:
    class Forgets:
        trains = True

        def epochs(self, network: nn.Module, candidate: Candidate, setup: Any) -> Iterator[Epoch]:
            raise FileNotFoundError("teacher.safetensors")
            yield

    task, of = bars_task(), config()
    evaluate = Evaluator(ConvNets(), task, of, Objectives(of, task.spec), learner=Forgets())
    _, last = run(evaluate, job())
    assert last.status is Status.FAILED_ERROR
    assert last.message.startswith("FileNotFoundError: teacher.safetensors (test_openings.py:")


def test_the_command_line_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", "configs/digits.yaml", "--run", str(tmp_path / "run"), "--set", "learner.kind=skratch"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert (
        line
        == f"evonas: learner.kind: unknown 'skratch'; did you mean 'scratch'? (known: {', '.join(sorted(LEARNERS))})"
    )
