"""What is on disk: written once, checked on reading, and named when it is damaged."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.records import UserError
from evonas.store import read_journal_rows
from evonas.store.journal import Journal, read_journal
from tests.synthetic import Toy
from tests.test_loop import Stop, content, run, stopping_after


class TestJournal:
    def write(self, folder: Path, *numbers: int) -> Journal:
        journal = Journal(folder)
        for number in numbers:
            journal.append({"kind": "born", "candidate": number})
        journal.flush()
        return journal

    def read(self, folder: Path) -> list[int]:
        return [entry["candidate"] for entry in read_journal(folder)]

    def test_writers_follow_each_other(self, tmp_path: Path) -> None:
        self.write(tmp_path, 1, 2).close()
        self.write(tmp_path, 3).close()
        assert self.read(tmp_path) == [1, 2, 3]

    def test_rotation_keeps_what_is_open(self, tmp_path: Path) -> None:
        journal = self.write(tmp_path, 1, 2, 3)
        journal.rotate([{"kind": "born", "candidate": 3}])
        journal.append({"kind": "born", "candidate": 4})
        journal.close()
        assert self.read(tmp_path) == [3, 4]
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_crash_at_any_byte_loses_at_most_the_last_entry(self, tmp_path: Path) -> None:
        self.write(tmp_path, 1, 2, 3).close()
        (path,) = tmp_path.iterdir()
        data = path.read_bytes()
        for length in range(len(data)):
            path.write_bytes(data[:length])
            assert self.read(tmp_path) == [1, 2, 3][: data[:length].count(b"\n")]

    def test_a_new_writer_does_not_append_behind_a_torn_line(self, tmp_path: Path) -> None:
        self.write(tmp_path, 1, 2).close()
        (path,) = tmp_path.iterdir()
        path.write_bytes(path.read_bytes()[:-5])
        self.write(tmp_path, 3).close()
        assert self.read(tmp_path) == [1, 3]

    def test_the_newest_segment_says_the_order_of_decisions(self, tmp_path: Path) -> None:
        """Two segments from before a restart, one of which outlived the rotation to the third."""
        (tmp_path / "journal").mkdir()
        for numbers in ([3], [5, 3, 4]):
            journal = Journal(tmp_path / "journal")
            for number in numbers:
                journal.append({"kind": "decided", "candidate": number})
            journal.close()
        assert [row["candidate"] for row in read_journal_rows(tmp_path)] == [5, 3, 4]

    def test_every_flipped_bit_before_the_last_line_is_named(self, tmp_path: Path) -> None:
        self.write(tmp_path, 1, 2, 3).close()
        (path,) = tmp_path.iterdir()
        data = path.read_bytes()
        for at, bit in itertools.product(range(data.rindex(b"\n", 0, -1)), range(8)):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            path.write_bytes(flipped)
            with pytest.raises(UserError, match=r"is damaged at line \d; everything before it is intact"):
                read_journal(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(folder, budget={"evaluations": 20})
    return folder


def test_pandas_and_duckdb_read_the_folder_as_it_is(finished: Path) -> None:
    frame = pd.read_parquet(finished / "evaluations")
    assert frame["candidate"].tolist() == list(range(20))
    assert frame["generation"].tolist() == [1] * 8 + [2] * 8 + [3] * 4
    assert isinstance(frame["genome"][0][0].item(), int)
    assert frame["rungs"][0][0]["rung"] == 0


@pytest.mark.parametrize("name", ["evaluations", "populations"])
def test_a_damaged_parquet_file_is_named_with_what_is_intact(name: str, finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    path = copy / name / "generation-00002.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"{name}/generation-00002\.parquet is damaged.*generations 1-1 are intact"):
        run(copy, budget={"evaluations": 30})
    path.unlink()
    with pytest.raises(UserError, match=rf"{name}/generation-00002\.parquet is missing"):
        evonas.load(copy, Toy()).front()


def test_following_the_advice_on_damage_gives_the_same_search(finished: Path, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", budget={"evaluations": 30})
    copy = copied(finished, tmp_path)
    for folder in ("manifest", "evaluations", "populations"):
        for number in (2, 3):
            next((copy / folder).glob(f"generation-{number:05d}.*")).unlink()
    again = run(copy, budget={"evaluations": 30})
    assert content(again) == content(whole)


def test_a_gap_that_damage_leaves_is_evaluated_again(tmp_path: Path) -> None:
    """An interrupted run loses its last generation: what the journal holds beyond it cannot stand on nothing."""
    whole = run(tmp_path / "whole", budget={"evaluations": 40})
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(30))
    for name in ("manifest", "evaluations", "populations"):
        next((tmp_path / "run" / name).glob("generation-00003.*")).unlink()
    assert evonas.load(tmp_path / "run", Toy()).verify().difference == ""
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(21))
    again = run(tmp_path / "run", budget={"evaluations": 40})
    assert content(again) == content(whole)
    assert again.verify().difference == ""


def test_a_crash_between_two_segments_shows_nothing_twice(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(11), schedule={"mode": "async"})
    journal = tmp_path / "run" / "journal"
    before = {path.name: path.read_bytes() for path in journal.iterdir()}
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(13), schedule={"mode": "async"})
    for name, data in before.items():
        (journal / name).write_bytes(data)
    found = evonas.load(tmp_path / "run", Toy())
    assert found.evaluations["candidate"].tolist() == list(range(13))
    assert found.verify().difference == ""


def test_a_run_of_another_schema_is_refused(finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    path = copy / "run.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(UserError, match="schema version 99; this evonas reads version 1"):
        evonas.load(copy)
    path.write_text("{")
    with pytest.raises(UserError, match=r"run\.json is damaged"):
        evonas.load(copy)
    with pytest.raises(UserError, match="is not a run folder"):
        evonas.load(tmp_path)


def test_no_file_is_left_half_written(finished: Path) -> None:
    assert not list(finished.rglob("*.tmp"))


def test_an_interrupted_run_shows_what_is_decided(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(11))
    found = evonas.load(tmp_path / "run", Toy())
    assert len(found.evaluations) == 11
    assert found.evaluations["generation"].isna().sum() == 3
    assert found.status()["state"].startswith("stopped; to go on: evonas resume")
    assert found.verify().difference == ""


def copied(folder: Path, to: Path) -> Any:
    return Path(shutil.copytree(folder, to / "copy"))
