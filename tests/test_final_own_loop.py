"""Networks of a search with a training loop of the user's own are trained to the end by that loop."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import evonas
from evonas.cli import main
from evonas.errors import UserError
from evonas.evaluation.learners import LEARNERS, FromScratch, own_loop
from evonas.final import recipes
from evonas.final.progress import FinalProgress
from evonas.final.testing import look_at_networks
from evonas.final.train import train
from evonas.runs.run import Run
from evonas.store.final import KIND, read_final
from evonas.tasks import Task
from tests.evaluation.small import ConvNets, bars_task

CALLS: list[tuple[int, int, float]] = []
QUICK = ("seeds=2", "epochs=3", "checkpoint_s=0")


def marked(network: nn.Module, data: Any, budget: Any, report: Any, *, mark: float = 0.0) -> None:
    """Trains by a rate of its own, and leaves a mark in the weights."""
    CALLS.append((budget.epochs, len(data.task.splits.train), budget.training.learning_rate))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(budget.epochs):
        network.train()
        for x, y in data.batches(epoch):
            optimizer.zero_grad()
            loss = data.loss(network(x), y)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            list(network.parameters())[-1][0] = mark + epoch
        report(float(loss.detach()))


class LastLayer(FromScratch):
    """Trains the last layer, and goes on from what it offers."""

    def epochs(self, network: nn.Module, candidate: Any, setup: Any) -> Iterator[Any]:
        *rest, _, _ = network.parameters()
        for parameter in rest:
            parameter.requires_grad_(False)
        return super().epochs(network, candidate, setup)


@pytest.fixture(scope="module")
def task() -> Task:
    return bars_task(64)


@pytest.fixture
def searched(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Run:
    """A run of one network, by the learner that the test names."""
    monkeypatch.setitem(LEARNERS, "marked", own_loop(marked))
    monkeypatch.setitem(LEARNERS, "last_layer", LastLayer)
    config = {
        "space": {"kind": "own"},
        "task": {"kind": "own"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"kind": "random"},
        "training": {"epochs": 1, "batch_size": 32},
        "learner": getattr(request, "param", {"kind": "marked", "mark": 5.0}),
        "schedule": {"generation": 2},
        "budget": {"evaluations": 1},
        "runtime": {"kind": "serial"},
    }
    return evonas.search(config, space=ConvNets(), task=task, run=tmp_path / "run", progress=False)


def again(run: Run, task: Task) -> Run:
    return Run(run.folder, ConvNets(), task)


def test_the_loop_of_the_search_trains_to_the_end(searched: Run, task: Task) -> None:
    CALLS.clear()
    [row] = train(again(searched, task), [0], overrides=QUICK).to_dict("records")
    train_examples, valid_examples = len(task.splits.train), len(task.splits.valid)
    rate = CALLS[0][2]
    joined = (3, train_examples + valid_examples, rate)
    assert [(3, train_examples, rate), joined, joined] == CALLS, "one recipe, then the seeds"
    assert (row["status"], row["seeds"], row["epochs"]) == ("ok", 2, 3)
    network = again(searched, task).build(0)
    assert float(list(network.parameters())[-1][0].detach()) == 7.0, "as the loop left it, with its option"
    found = look_at_networks(again(searched, task), [0], task)
    assert found["weights"].tolist() == ["final"]
    assert found["test[error]"].iloc[0] == read_final(searched.folder)[1]["metrics"]["test[error]"]


def test_recipes_that_make_no_difference_are_said(searched: Run, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "STRENGTHS", (0.0,))  # of augmentation, which `data.batches` does
    progress: list[FinalProgress] = []
    train(again(searched, task), [0], overrides=("seeds=1", "epochs=1", "trials=2"), watch=progress.append)
    assert progress[-1].notes == [
        "candidate 0: its 2 recipes gave the same curve: learner marked does not read what they differ in"
    ]


@pytest.mark.parametrize("asked", ["average=0.5", "distill=0.5", "processes=2"])
def test_what_cannot_reach_into_a_loop_is_refused(searched: Run, task: Task, asked: str) -> None:
    key = asked.partition("=")[0]
    with pytest.raises(UserError, match=f"^{key}: learner marked has a training loop of its own, .*: {key}=[01]$"):
        train(again(searched, task), [0], overrides=(asked, "runtime.kind=ray"))


def test_a_loop_that_is_not_imported_is_one_line(
    searched: Run, task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(LEARNERS, "marked")
    with pytest.raises(UserError, match=r"^the learner 'marked' of .* give the module that registers it by --import"):
        train(again(searched, task), [0])
    assert main(["train", str(searched.folder)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("searched", [{"kind": "last_layer"}], indirect=True)
def test_a_learner_that_offers_a_state_goes_on_from_it(searched: Run, task: Task, tmp_path: Path) -> None:
    """To the same bits as one that was not interrupted."""
    seen = 0

    def interrupts(progress: FinalProgress) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise KeyboardInterrupt

    whole = shutil.copytree(str(searched.folder), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(again(searched, task), [0], overrides=QUICK, watch=interrupts)
    assert [name for name in searched.folder.names(KIND) if name.endswith(".state")]
    found = train(again(searched, task), [0], overrides=QUICK)
    once = train(Run(whole, ConvNets(), task), [0], overrides=QUICK)
    assert found["weights_sha256"].tolist() == once["weights_sha256"].tolist()
    assert [row["epochs"] for row in read_final(searched.folder)] == [3] * 4
