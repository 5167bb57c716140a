"""Every suite of `evonas.testing` can fail: it rejects parts that have one fault each, and accepts evonas's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from evonas.config import TargetConfig
from evonas.evaluation.learners import LEARNERS
from evonas.evaluation.untrained.costs import COMPUTED
from evonas.exporters import EXPORTERS
from evonas.measuring.backends.backend import BACKENDS
from evonas.objectives import metrics
from evonas.objectives.metrics import METRICS
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS
from evonas.testing import (
    check_backend,
    check_exporter,
    check_learner,
    check_metric,
    check_space,
    check_strategy,
    check_task,
    check_tracker,
    examples,
)
from evonas.testing.checks import require
from tests.testing import wrong


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_sentence_is_said_where_python_runs_optimised_too() -> None:
    with pytest.raises(AssertionError, match="this is wrong"):
        require(False, "this is wrong")
    assert "assert " not in Path(require.__code__.co_filename).read_text().replace("`assert`", "")


# -- spaces --


@pytest.mark.parametrize("fault", wrong.SPACES)
def test_a_wrong_space_is_rejected(fault: str) -> None:
    make, sentence = wrong.SPACES[fault]
    with pytest.raises(AssertionError, match=sentence):
        check_space(make(), wrong.SPEC)


def test_right_spaces_are_accepted() -> None:
    check_space(wrong.Right(), wrong.SPEC)
    check_space(wrong.Right(), wrong.SPEC, seed=9, samples=5)


@pytest.mark.parametrize("kind", SPACES)
def test_the_spaces_that_come_with_it_are_accepted(kind: str) -> None:
    series, masks = TaskSpec("series", InputSpec((2, 8)), (3,)), TaskSpec("masks", InputSpec((2, 7, 9)), (3, 7, 9))
    users = TaskSpec("shop", InputSpec((), "int64", 20), (12,))
    spec = {"tcn": series, "conv1d": series, "unet": masks, "two_tower": users}.get(kind, wrong.SPEC)
    check_space(SPACES[kind](), spec, networks=2)


# -- tasks --


@pytest.mark.parametrize("fault", wrong.TASKS)
def test_a_wrong_task_is_rejected(fault: str) -> None:
    make, sentence = wrong.TASKS[fault]
    with pytest.raises(AssertionError, match=sentence):
        check_task(make())


def test_right_tasks_are_accepted() -> None:
    check_task(examples.task())
    check_task(TASKS["digits"](metrics=["error", "accuracy", "f1", "auc"]))


# -- strategies --


@pytest.mark.parametrize("fault", wrong.STRATEGIES)
def test_a_wrong_strategy_is_rejected(fault: str) -> None:
    make, sentence = wrong.STRATEGIES[fault]
    with pytest.raises(AssertionError, match=sentence):
        check_strategy(make)


def test_right_strategies_are_accepted() -> None:
    check_strategy(wrong.Draws)
    for make in STRATEGIES.values():
        check_strategy(make)


# -- learners --


@pytest.mark.parametrize("fault", wrong.LEARNERS)
def test_a_wrong_learner_is_rejected(fault: str) -> None:
    make, sentence = wrong.LEARNERS[fault]
    task = examples.task()
    with pytest.raises(AssertionError, match=sentence):
        check_learner(make(), task, examples.network_for(task.spec))


@pytest.mark.parametrize("kind", LEARNERS)
def test_evonas_s_learners_are_accepted(kind: str) -> None:
    task = examples.task()
    check_learner(LEARNERS[kind](), task, examples.network_for(task.spec))


# -- metrics --


@pytest.mark.parametrize("fault", wrong.METRICS)
def test_a_wrong_metric_is_rejected(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    metric, sentence = wrong.METRICS[fault]
    monkeypatch.setitem(metrics.METRICS, "own", metric)
    with pytest.raises(AssertionError, match=sentence):
        check_metric("own")


def test_a_metric_that_is_not_registered_or_has_brackets_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="METRICS has no 'depth'"):
        check_metric("depth")
    monkeypatch.setitem(metrics.METRICS, "depth[net]", metrics.Metric("", compute=lambda *_: 1.0))
    with pytest.raises(AssertionError, match="without spaces and brackets"):
        check_metric("depth[net]")


@pytest.mark.parametrize("name", METRICS)
def test_evonas_s_metrics_are_accepted(name: str) -> None:
    check_metric(name)


def test_the_metrics_of_a_network_are_those_that_something_computes() -> None:
    assert {name for name, metric in METRICS.items() if metric.stage == "network"} == set(COMPUTED)


# -- exporters --


@pytest.mark.parametrize("fault", wrong.EXPORT)
def test_a_wrong_exporter_is_rejected(fault: str) -> None:
    exporter, sentence = wrong.EXPORT[fault]
    with pytest.raises(AssertionError, match=sentence):
        check_exporter(exporter)


@pytest.mark.parametrize("name", [name for name in EXPORTERS if name not in ("pte", "tflite")])
def test_evonas_s_exporters_are_accepted(name: str) -> None:
    check_exporter(EXPORTERS[name])


# -- backends --


@pytest.mark.parametrize("fault", wrong.BACKEND)
def test_a_wrong_backend_is_rejected(fault: str) -> None:
    make, sentence = wrong.BACKEND[fault]
    with pytest.raises(AssertionError, match=sentence):
        check_backend(make)


def test_a_right_backend_is_accepted() -> None:
    check_backend(wrong.Wrapped)
    check_backend(BACKENDS["torch"], TargetConfig(dtype="bfloat16", batch=3))


# -- trackers --


@pytest.mark.parametrize("fault", wrong.TRACKERS)
def test_a_wrong_tracker_is_rejected(fault: str, tmp_path: Path) -> None:
    make, sentence = wrong.TRACKERS[fault]
    with pytest.raises(AssertionError, match=sentence):
        check_tracker(make, tmp_path)


def test_a_tracker_that_hangs_is_rejected(tmp_path: Path) -> None:
    import threading

    class Hangs(wrong.Takes):
        def log(self, step: int, values: Any) -> None:
            threading.Event().wait(5)

    with pytest.raises(AssertionError, match="not taken everything after"):
        check_tracker(Hangs, tmp_path, timeout_s=0.1)


def test_right_trackers_are_accepted(tmp_path: Path) -> None:
    from evonas.tracking.tensorboard import TensorBoard

    check_tracker(wrong.Takes, tmp_path)
    check_tracker(TensorBoard, tmp_path)
    assert not list((tmp_path / "tensorboard").glob("candidate-*"))
