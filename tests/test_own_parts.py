"""Parts of a user's own that are made, registered or given wrongly: one line says what would be right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evonas.commands.arguments import imported
from evonas.errors import UserError
from evonas.loading import load_config
from evonas.objectives.metrics import METRICS, Metric
from evonas.objectives.objectives import Objectives
from evonas.records import InputSpec, TaskSpec
from evonas.start import prepare
from evonas.tabular import Tabular
from evonas.tasks import TaskMetric
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
