"""The data are part of a search: a run folder knows them, and does without them where it can."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import evonas
from evonas.cli import main
from evonas.errors import UserError
from evonas.tasks.constructors import classification
from evonas.tasks.data_record.describing import SAMPLED_BYTES, data_record
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.task import Split, Splits

SPACE = {"kind": "cell", "stages": 1, "channels": [4, 6], "cells": [1], "nodes": 3}


def write(file: Path, n: int = 60, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    np.savez(file, x_train=rng.integers(0, 256, (n, 1, 6, 6)).astype(np.uint8), y_train=rng.permutation(n) % 3)


def settings(file: Path, evaluations: int = 2) -> dict[str, Any]:
    return {
        "space": SPACE,
        "task": {"kind": "npz", "path": str(file), "valid_fraction": 0.3},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": 2},
        "training": {"epochs": 1},
        "budget": {"evaluations": evaluations},
        "runtime": {"kind": "serial"},
    }


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.npz and a run of it."""
    folder = tmp_path_factory.mktemp("searched")
    write(folder / "data.npz")
    evonas.search(settings(folder / "data.npz"), run=folder / "run")
    return folder


@pytest.fixture
def copied(searched: Path, tmp_path: Path) -> evonas.Run:
    """The run alone; its data are for the test to change."""
    return evonas.load(shutil.copytree(searched / "run", tmp_path / "run"))


def test_a_run_folder_says_what_its_data_were(copied: evonas.Run) -> None:
    data = copied.description["data"]
    assert {name: split["examples"] for name, split in data["splits"].items()} == {"train": 36, "valid": 18, "test": 6}
    assert data["splits"]["test"]["counts"] == [2, 2, 2]
    assert data["columns"] == {"": {"shape": [1, 6, 6], "dtype": "uint8"}}
    assert data["standardise"]["mean"] == pytest.approx([127.5], abs=10)


@pytest.mark.parametrize(
    ("n", "seed", "says"),
    [(48, 0, "train has 36 examples there, 30 here"), (60, 1, "as many examples, but others: train, valid, test")],
)
def test_a_search_does_not_go_on_with_other_data(searched: Path, tmp_path: Path, n: int, seed: int, says: str) -> None:
    file = searched / "data.npz"
    folder = shutil.copytree(searched / "run", tmp_path / "run")
    kept = file.read_bytes()
    try:
        write(file, n, seed)
        with pytest.raises(UserError, match=f"was searched with other data: {says}") as error:
            evonas.search(settings(file, 4), run=folder)
        assert "\n" not in str(error.value)
        with pytest.raises(UserError, match=f"have changed: {says}"):
            evonas.load(folder).task()
        assert len(evonas.load(folder).evaluations) == 2
    finally:
        file.write_bytes(kept)
    assert len(evonas.search(settings(file, 4), run=folder).evaluations) == 4


def test_verify_checks_the_data(
    searched: Path, copied: evonas.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(copied.folder)]) == 0
    assert "the data are those of the search" in capsys.readouterr().out
    moved, others = tmp_path / "moved.npz", tmp_path / "others.npz"
    shutil.copy(searched / "data.npz", moved)
    write(others, seed=1)
    assert main(["verify", str(copied.folder), "--set", f"task.path={moved}"]) == 0
    assert "the data are those of the search" in capsys.readouterr().out
    assert main(["verify", str(copied.folder), "--set", f"task.path={others}"]) == 1
    assert "the data are not those of the search: as many examples, but others" in capsys.readouterr().out
    assert main(["verify", str(copied.folder), "--set", f"task.path={tmp_path / 'nowhere.npz'}"]) == 2
    assert main(["verify", str(copied.folder), "--set", "seed=4"]) == 2


def test_without_the_data_a_run_verifies_with_a_note_exports_and_rebuilds(
    searched: Path, copied: evonas.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = searched / "data.npz"
    best = int(copied.front()["candidate"].iloc[0])
    stored = torch.from_numpy(copied.task().splits.test.x)
    prepare = copied.task().prepare
    away.rename(searched / "elsewhere.npz")
    try:
        assert main(["verify", str(copied.folder)]) == 0
        assert "note: the data are not checked: task.path: no file" in capsys.readouterr().out
        assert main(["export", str(copied.folder), str(best), "--out", str(tmp_path / "net.pt2")]) == 0
        said = capsys.readouterr().out
        assert "takes uint8 (N, 1, 6, 6)" in said
        assert "note" not in said
        whole = torch.export.load(tmp_path / "net.pt2").module()
        with torch.inference_mode():
            assert torch.allclose(whole(stored), copied.build(best)(prepare(stored)), atol=1e-5)
    finally:
        (searched / "elsewhere.npz").rename(away)


def test_the_start_of_a_search_says_what_each_split_has(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (searched / "config.yaml").write_text(yaml.safe_dump(settings(searched / "data.npz")))
    assert main(["search", str(searched / "config.yaml"), "--run", str(searched / "run")]) == 0
    said = capsys.readouterr().out
    assert (
        "data: train 36, valid 18 (drawn from train), test 6 (drawn from train) examples, each 1 x 6 x 6 of uint8;"
        in said
    )
    assert "; 3 classes (0: 20, 1: 20, 2: 20)" in said


def test_every_row_in_memory_counts() -> None:
    x = np.zeros((SAMPLED_BYTES // 1000 * 2, 1000), np.uint8)
    split = Split(x, np.arange(len(x)) % 2)
    with pytest.raises(UserError, match=r"^Splits: test is None; a task has examples in all three parts"):
        Splits(split, split, None)  # type: ignore[arg-type]
    before = data_record(classification("zeros", Splits(split, split, split)))
    x[1, 7] = 1
    now = data_record(classification("zeros", Splits(split, split, split)))
    assert data_difference(before, now) == "as many examples, but others: train, valid, test"


def test_a_run_json_that_says_nonsense_of_its_data_is_one_line(copied: evonas.Run) -> None:
    for nonsense in (5, {"splits": 3}, {"splits": {}, "columns": {"": {"shape": [2], "dtype": "object"}}}):
        copied.description["data"] = nonsense
        with pytest.raises(UserError, match=r"run\.json: data") as error:
            copied.task()
        assert "\n" not in str(error.value)


def test_a_search_goes_on_where_the_same_data_are_elsewhere_now(
    searched: Path, copied: evonas.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved, others, folder = tmp_path / "moved.npz", tmp_path / "others.npz", str(copied.folder)
    away = searched / "data.npz"
    write(others, seed=1)
    away.rename(moved)
    resume = ["resume", folder, "--set", "budget.evaluations=4"]
    try:
        assert main(resume) == 2
        said = capsys.readouterr().err
        assert f"task.path: no file {away}; where the data of {folder} have moved, say --set task.path=WHERE\n" in said
        assert main([*resume, "--set", f"task.path={others}"]) == 2
        assert f"holds another search: task.path is {away} there, {others} here" in capsys.readouterr().err
        assert main([*resume, "--set", f"task.path={moved}", "--set", "task.valid_fraction=0.2"]) == 2
        assert "holds another search: task.valid_fraction is 0.3 there, 0.2 here" in capsys.readouterr().err
        assert main([*resume, "--set", f"task.path={moved}"]) == 0
        said = f"the data are those of the search, which was begun with task.path {away} and goes on with {moved}"
        assert f"note: {said}\n" in capsys.readouterr().out
        assert main(["resume", folder, "--set", "budget.evaluations=5"]) == 0, "where they are now is in the record"
        assert main(["verify", folder]) == 0
        assert "the data are those of the search" in capsys.readouterr().out
        assert len(evonas.load(folder).evaluations) == 5
        assert evonas.load(folder).task().splits.train.x.shape == (36, 1, 6, 6)
        moved.rename(tmp_path / "again.npz")
        moved = tmp_path / "again.npz"
        assert main(["resume", folder, "--set", f"task.path={moved}"]) == 0, "where nothing is left to do, too"
        assert "nothing is left to do" in capsys.readouterr().out
        assert main(["resume", folder]) == 0
        assert main(["verify", folder]) == 0
    finally:
        moved.rename(away)
