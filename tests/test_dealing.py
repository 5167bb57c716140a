"""Splits of groups and in time: nothing of a group, or of a time, is in two parts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from evonas.errors import UserError
from evonas.tasks.class_weights import weights_of
from evonas.tasks.dealing import Keys, SplitBy, dealt, notes_of
from evonas.tasks.file_groups import keys_of_files
from evonas.tasks.losses import WeightedCrossEntropy
from evonas.tasks.splitting import completed
from evonas.tasks.task import Split

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_and_classes_keep_their_mix(seed: int) -> None:
    patients = RNG.integers(0, 60, 600)
    y = (RNG.random(600) < 0.1 + 0.3 * (patients % 2)).astype(np.int64)
    parts = dealt(Keys(patients), y, (0.1, 0.2), seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(600))
    found = [set(patients[rows]) for rows in parts]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]
    assert [len(rows) / 600 for rows in parts] == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    assert [y[rows].mean() for rows in parts] == pytest.approx([y.mean()] * 3, abs=0.08)
    again = dealt(Keys(patients), y, (0.1, 0.2), seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_the_latest_are_the_test_split() -> None:
    times = RNG.permutation(np.repeat(np.arange(100), 3))
    early, middle, late = (times[rows] for rows in dealt(Keys(times, True), times, (0.1, 0.2), 0))
    assert early.max() < middle.min()
    assert middle.max() < late.min()
    assert [len(early), len(middle), len(late)] == [210, 30, 60]


def test_each_part_has_something_however_large_a_group_is() -> None:
    sizes = np.repeat([0, 1, 2], [98, 1, 1])
    for keys in (Keys(sizes), Keys(sizes, True), Keys(2 - sizes, True)):
        parts = dealt(keys, np.zeros(100, np.int64), (0.1, 0.1), 0)
        assert [len(rows) > 0 for rows in parts] == [True] * 3
        assert len({tuple(sorted(set(sizes[rows]))) for rows in parts}) == 3
    with pytest.raises(UserError, match=r"^task\.split\.by: 3 parts need as many different values; there are 2$"):
        dealt(Keys(np.arange(100) % 2), np.zeros(100), (0.1, 0.1), 0)


def test_groups_of_files_are_named_by_an_expression() -> None:
    files = [Path("/x/yes/anna-1.wav"), Path("/x/yes/ben-2.wav"), Path("/x/no/anna-3.wav")]
    keys = keys_of_files(SplitBy(by="([a-z]+)-[0-9]"), files, Path("/x"))
    assert keys is not None
    assert keys.values.tolist() == ["anna", "ben", "anna"]
    for by, says in (("[", "is no regular expression"), ("carl", "does not fit on yes/anna-1.wav")):
        with pytest.raises(UserError, match=says):
            keys_of_files(SplitBy(by=by), files, Path("/x"))
    with pytest.raises(UserError, match="files have no column of times"):
        keys_of_files(SplitBy(time="when"), files, Path("/x"))
    with pytest.raises(ValueError, match="either by or time"):
        SplitBy()


def test_only_what_is_not_given_is_dealt() -> None:
    given = {part: Split(np.zeros((40, 1)), np.arange(40) % 2) for part in ("train", "test")}
    splits = completed(given, 0.25, 0.5, 0, keys=Keys(np.arange(40) // 4))
    assert splits.drawn == ("valid",)
    sizes = [len(split) for split in splits.parts.values()]
    assert sizes in ([28, 12, 40], [32, 8, 40]), "a quarter of 10 groups of 4"


def test_what_is_said_of_a_split_is_what_was_done() -> None:
    groups, times = Keys(np.arange(6) // 2), Keys(np.arange(6), in_time=True)
    by, time = SplitBy(by="speaker"), SplitBy(time="when")
    assert notes_of(None, None, ("valid", "test")) == []
    assert notes_of(groups, by, ()) == ["split is not used: valid and test are given"]
    assert notes_of(groups, by, ("valid",)) == [
        "split by speaker: 3 groups, each of which is in one part of train and valid"
    ]
    assert notes_of(times, time, ("valid",)) == [
        "split in time by when: the latest training examples are the validation split"
    ]
    assert notes_of(times, time, ("test",)) == [
        "split in time by when: the latest training examples are the test split"
    ]


def test_balanced_weights_need_an_example_of_each_class() -> None:
    with pytest.raises(UserError, match="balanced needs a training example of each class, and c has none"):
        weights_of("balanced", np.array([0, 1, 1]), ["a", "b", "c"])
    weights, _ = weights_of("balanced", np.array([0, 1, 1, 1]), ["a", "b"])
    loss = WeightedCrossEntropy(weights)(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1]), 0.0)
    assert loss.item() == pytest.approx(np.log(2))
