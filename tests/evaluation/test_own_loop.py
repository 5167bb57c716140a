"""A training loop of the user's own is a learner like any other: rungs, early stopping, failures, deadlines."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import evonas
from evonas.errors import UserError
from evonas.evaluation import Evaluator, learners
from evonas.evaluation.learners import LEARNERS, own_loop
from evonas.evaluation.learners.own_loop import OwnLoop
from evonas.objectives.objectives import Objectives
from evonas.records import Deferred, Evaluation, Fitness, Status
from evonas.testing import check_learner
from tests.evaluation.small import ConvNets, bars_task, config, conv_net, job, run
from tests.tutorial import blocks

TASK = bars_task(64)
CONFIG = config({"epochs": 3, "rungs": [1, 2]})


def plain(network: nn.Module, data: Any, budget: Any, report: Any, *, rate: float = 0.05) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
    for epoch in range(budget.epochs):
        network.train()
        losses = []
        for x, y in data.batches(epoch):
            optimizer.zero_grad()
            loss = data.loss(network(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        report(float(torch.stack(losses).mean()))


def evaluator(loop: Callable[..., None], **options: Any) -> Evaluator:
    return Evaluator(ConvNets(), TASK, CONFIG, Objectives(CONFIG, TASK.spec), learner=own_loop(loop)(**options))


def test_it_keeps_the_contract_of_a_learner() -> None:
    check_learner(own_loop(plain)(rate=0.02), TASK, conv_net(4, TASK.spec))


def test_it_reports_rungs_and_stops_where_others_are_better() -> None:
    """Nothing of it runs behind the rung that it does not pass; what it holds it can let go."""
    ends = list[str]()

    def ending(*parts: Any) -> None:
        try:
            plain(*parts)
            ends.append("whole")
        except Exception:
            ends.append("caught")
        finally:
            ends.append("left")

    reports, last = run(evaluator(ending), job())
    assert [report.rung for report in reports] == [0, 1]
    assert (last.status, len(last.curve), ends) == (Status.OK, 3, ["whole", "left"])
    assert last.scores, "the examples of the last epoch are kept"
    better = (Fitness(0, 0, (0.0, 1.0)),)
    reports, last = run(evaluator(ending), job(cutoffs=((), better)))
    assert [report.rung for report in reports] == [0]
    assert (last.status, len(last.curve), ends[2:]) == (Status.STOPPED, 2, ["left"])
    assert not [thread for thread in threading.enumerate() if thread.name == "evonas-own-loop"]


def failing(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
    report(1.0)
    raise KeyError("a line of mine")


def silent(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
    return


def script(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
    subprocess.run([sys.executable, "-S", "-c", "raise SystemExit(3)"], check=True)


def diverging(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
    report(float("nan"))


def talkative(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
    for _ in range(budget.epochs + 1):
        report(1.0, 1.0, {"error": 0.5})


def forgetful(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
    report(1.0, 1.0, {"accuracy": 0.5})


@pytest.mark.parametrize(
    ("loop", "says"),
    [
        (failing, "KeyError"),
        (silent, "the training loop silent ended without a report: call report(train_loss) after each epoch"),
        (script, "returned non-zero exit status 3. (test_own_loop.py:"),
        (diverging, "the loss is not finite after epoch 1"),
        (talkative, "more often than there are epochs, 3"),
        (forgetful, "report has no metric error"),
    ],
)
def test_what_goes_wrong_in_it_is_the_candidates_row(loop: Any, says: str) -> None:
    _, last = run(evaluator(loop), job())
    assert last.status.failed
    assert says in last.message


def test_the_end_of_the_time_goes_through_it() -> None:
    *_, last = evaluator(plain)(replace(job(), until=time.time() + 3600.0))
    assert isinstance(last, Evaluation)
    assert last.status == Status.OK
    (ended,) = evaluator(plain)(replace(job(), until=time.time()))
    assert isinstance(ended, Deferred)
    assert "time of the budget" in ended.reason


def test_metrics_may_come_from_elsewhere() -> None:
    def told(network: nn.Module, data: Any, budget: Any, report: Any) -> None:
        for epoch in range(budget.epochs):
            report(1.0, 0.5, {"error": 0.5 / (epoch + 1)})

    _, last = run(evaluator(told), job())
    assert isinstance(last, Evaluation)
    assert last.metrics["error"] == pytest.approx(1 / 6)


def test_a_config_names_it_and_its_options(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEARNERS, "plain", own_loop(plain))
    sections = {
        "space": {"kind": "mine"},
        "task": {"kind": "mine"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "training": {"epochs": 2, "rungs": [1]},
        "budget": {"evaluations": 3},
        "runtime": {"kind": "serial"},
        "learner": {"kind": "plain", "rate": 0.1},
    }
    found = evonas.search(sections, space=ConvNets(), task=TASK, run=tmp_path / "run", progress=False)
    assert found.evaluations["status"].isin(["ok", "stopped"]).all()
    with pytest.raises(UserError, match=r"^learner: unknown 'rat'; did you mean 'rate'\?"):
        evonas.search({**sections, "learner": {"kind": "plain", "rat": 0.1}}, space=ConvNets(), task=TASK)
    with pytest.raises(UserError, match=r"^learner: rate: .*'fast'"):
        evonas.search({**sections, "learner": {"kind": "plain", "rate": "fast"}}, space=ConvNets(), task=TASK)


def test_what_is_no_loop_is_refused() -> None:
    with pytest.raises(UserError, match=r"^own_loop: <lambda> does not take \(network, data, budget, report\)"):
        own_loop(lambda network, data: None)


@pytest.mark.parametrize("file", ["my_loop.py", "script_loop.py", "lightning_loop.py"])
@pytest.mark.slow
def test_the_examples_train(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if file == "lightning_loop.py":
        pytest.importorskip("lightning", reason="Lightning is not installed: pip install lightning")
    root = Path(__file__).parents[2]
    if (example := root / "examples" / file).exists():
        code = example.read_text()
    else:
        (code,) = (b.code for b in blocks((root / "docs" / "how-to" / "extend.md").read_text()) if b.file == file)
    before = set(LEARNERS)
    monkeypatch.setattr(learners, "LEARNERS", dict(LEARNERS))
    exec(compile(code, file, "exec"), {"__name__": file})
    (name,) = learners.LEARNERS.keys() - before
    learner = learners.LEARNERS[name]()
    assert isinstance(learner, OwnLoop)
    better = (Fitness(0, 0, (0.0, 1.0)),)
    reports, last = run(evaluator(learner.loop), job())
    assert (last.status, len(last.curve), len(reports)) == (Status.OK, 3, 2), last.message
    _, stopped = run(evaluator(learner.loop), job(cutoffs=((), better)))
    assert (stopped.status, len(stopped.curve)) == (Status.STOPPED, 2), stopped.message
