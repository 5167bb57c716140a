"""What was trained before is told again, and nothing else is."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.learners import Cached, FromScratch, TrainingSetup
from evonas.records import Candidate, Epoch
from tests.evaluation.small import bars_task, conv_net
from tests.synthetic import Toy

TASK = bars_task()
TRAINING = TrainingConfig(epochs=2, batch_size=32)
CANDIDATE = Candidate(3, (2, *(0,) * 9), (), "random", 0, seed=11)
RECIPE: dict[str, Any] = {"seed": 0, "data": "bars"}


class Counting(FromScratch):
    """Says how often it has trained."""

    def __init__(self) -> None:
        self.count = 0

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        self.count += 1
        yield from super().epochs(network, candidate, setup)


@pytest.fixture
def learner() -> Counting:
    return Counting()


def trained(
    learner: Counting,
    folder: Path,
    *,
    candidate: Candidate = CANDIDATE,
    recipe: dict[str, Any] = RECIPE,
    training: TrainingConfig = TRAINING,
    width: int = 4,
    stop_after: int = 9,
) -> tuple[list[Epoch], nn.Module, dict[str, str]]:
    torch.manual_seed(candidate.index)
    network, notes = conv_net(width, TASK.spec), dict[str, str]()
    setup = TrainingSetup(TASK, to_device(TASK, "cpu"), training, note=notes.__setitem__)
    told = Cached(learner, folder, Toy(), recipe, "runs/first").epochs(network, candidate, setup)
    return [epoch for epoch, _ in zip(told, range(stop_after), strict=False)], network, notes


def test_a_training_is_told_again_with_its_weights(learner: Counting, tmp_path: Path) -> None:
    first, network, notes = trained(learner, tmp_path)
    assert notes == {}
    other = dataclasses.replace(CANDIDATE, index=8, seed=99, parents=(1, 2), operator="mutation")
    again, copy, said = trained(learner, tmp_path, candidate=other)
    assert learner.count == 1
    assert said == {"trained_by": "candidate 3 of runs/first, seed 11"}
    assert again == first
    assert [(e.metrics, e.scores) for e in again[-1:]] == [(e.metrics, e.scores) for e in first[-1:]]
    assert first[-1].scores
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, copy.state_dict()[name])


def test_genomes_that_build_the_same_network_are_one(learner: Counting, tmp_path: Path) -> None:
    trained(learner, tmp_path)
    inactive = next(i for i, on in enumerate(Toy().active(CANDIDATE.genome)) if not on)
    same = (*CANDIDATE.genome[:inactive], 1, *CANDIDATE.genome[inactive + 1 :])
    trained(learner, tmp_path, candidate=dataclasses.replace(CANDIDATE, genome=same))
    assert learner.count == 1


@pytest.mark.parametrize(
    "change",
    [
        {"candidate": dataclasses.replace(CANDIDATE, genome=(1, *(0,) * 9))},
        {"recipe": {**RECIPE, "seed": 1}},
        {"recipe": {**RECIPE, "data": "stripes"}},
        {"training": TRAINING.model_copy(update={"learning_rate": 0.5})},
        {"training": TRAINING.model_copy(update={"epochs": 1})},
        {"width": 5},
    ],
    ids=["genome", "seed", "data", "rate", "epochs", "network"],
)
def test_another_training_is_none_that_is_known(change: dict[str, Any], learner: Counting, tmp_path: Path) -> None:
    trained(learner, tmp_path)
    assert trained(learner, tmp_path, **change)[2] == {}
    assert learner.count == 2


def test_other_rungs_change_nothing_that_is_reached(learner: Counting, tmp_path: Path) -> None:
    trained(learner, tmp_path)
    trained(learner, tmp_path, training=TRAINING.model_copy(update={"rungs": (1,), "promote": 0.25}))
    assert learner.count == 1


def test_one_that_was_stopped_is_not_kept(learner: Counting, tmp_path: Path) -> None:
    trained(learner, tmp_path, stop_after=1)
    trained(learner, tmp_path)
    assert learner.count == 2


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_entry_is_none_and_a_new_one_takes_its_place(place: int, learner: Counting, tmp_path: Path) -> None:
    trained(learner, tmp_path)
    (entry,) = tmp_path.iterdir()
    data = bytearray(entry.read_bytes())
    data[place] ^= 1
    entry.write_bytes(data)
    assert trained(learner, tmp_path)[2] == {}
    entry.write_bytes(entry.read_bytes()[:20])
    assert trained(learner, tmp_path)[2] == {}
    assert trained(learner, tmp_path)[2] != {}
    assert learner.count == 3


def test_a_cache_that_cannot_be_written_costs_no_training(learner: Counting, tmp_path: Path) -> None:
    told, _, notes = trained(learner, tmp_path / "gone")
    assert len(told) == TRAINING.epochs
    assert notes == {"cache": "not written: No such file or directory"}
