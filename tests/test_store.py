"""What is on disk: written once, checked on reading, and named when it is damaged."""

import itertools
import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.driver.loop import Search
from evonas.errors import Halted, UserError
from evonas.records import Evaluation
from evonas.runtime import RUNTIMES
from evonas.start import execute
from evonas.store import Folder, open_folder, recover
from evonas.store.documents import from_document, to_document
from evonas.store.folder import LocalFolder
from evonas.store.journal import Journal, read_journal
from tests.synthetic import Toy, config, prepared
from tests.test_loop import Stop, content, quiet, run, stopping_after


class TestJournal:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        folder = open_folder(tmp_path)
        folder.lock(take_over=False).close()
        return folder

    def write(self, folder: Folder, start: int, held: Sequence[int], *numbers: int) -> Journal:
        journal = Journal(folder, start)
        journal.checkpoint(0, None, [{"kind": "born", "candidate": number} for number in held])
        for number in numbers:
            journal.append({"kind": "born", "candidate": number})
        journal.flush()
        return journal

    def read(self, folder: Folder) -> list[int]:
        segment = read_journal(folder)
        assert segment
        assert not segment.damage
        return [entry["candidate"] for entry in segment.entries]

    def test_the_newest_writer_counts(self, folder: Folder) -> None:
        self.write(folder, 1, [], 1, 2).close()
        self.write(folder, 2, [2], 3).close()
        assert self.read(folder) == [2, 3]
        assert folder.names("journal") == ["0002-000001.jsonl"]

    def test_a_replaced_writer_counts_for_nothing(self, folder: Folder) -> None:
        stale = self.write(folder, 1, [], 1)
        self.write(folder, 2, [1], 2).close()
        stale.checkpoint(7, None, [{"kind": "born", "candidate": 99}])
        stale.append({"kind": "born", "candidate": 100})
        stale.flush()
        assert self.read(folder) == [1, 2]

    def test_a_checkpoint_keeps_what_is_open(self, folder: Folder) -> None:
        journal = self.write(folder, 1, [], 1, 2, 3)
        journal.checkpoint(0, None, [{"kind": "born", "candidate": 3}])
        journal.append({"kind": "born", "candidate": 4})
        journal.close()
        assert self.read(folder) == [3, 4]
        assert folder.names("journal") == ["0001-000002.jsonl"]

    def test_cut_at_any_byte_it_is_a_crash_or_named(self, folder: Folder, tmp_path: Path) -> None:
        self.write(folder, 1, [1, 2], 3, 4).close()
        (path,) = (tmp_path / "journal").iterdir()
        data = path.read_bytes()
        checkpoint = [i for i, byte in enumerate(data) if byte == 10][2] + 1
        for length in range(len(data)):
            path.write_bytes(data[:length])
            segment = read_journal(folder)
            assert segment
            if length < checkpoint:  # it appeared as a whole, so no crash leaves this
                assert segment.damage
                assert segment.damage.name == "journal/0001-000001.jsonl"
            else:
                assert not segment.damage
                assert segment.torn == (data[length - 1] != 10)
            lines = max(0, data[:length].count(b"\n") - 1)
            assert [entry["candidate"] for entry in segment.entries] == [1, 2, 3, 4][:lines]

    def test_every_flipped_bit_is_named_with_what_is_before_it(self, folder: Folder, tmp_path: Path) -> None:
        self.write(folder, 1, [1], 2, 3).close()
        (path,) = (tmp_path / "journal").iterdir()
        data = path.read_bytes()
        for at, bit in itertools.product(range(len(data)), range(8)):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            path.write_bytes(flipped)
            segment = read_journal(folder)
            assert segment
            assert segment.damage, f"bit {bit} of byte {at}"
            assert "journal/0001-000001.jsonl" in segment.damage.name
            assert [entry["candidate"] for entry in segment.entries] == [1, 2, 3][: max(0, data[:at].count(b"\n") - 1)]

    def test_what_cannot_be_written_leaves_nothing(self, folder: Folder, tmp_path: Path) -> None:
        journal = self.write(folder, 1, [], 1)
        (path,) = (tmp_path / "journal").iterdir()
        before = path.read_bytes()
        with limited_file_size(len(before) + 20):
            journal.append({"kind": "born", "candidate": 2})
            with pytest.raises(OSError, match="File too large"):
                journal.flush()
        journal.close()
        assert path.read_bytes() == before


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """A disk that is full, for files that grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


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


def test_a_damaged_or_missing_file_is_named_with_what_is_intact(finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    for path in (copy / "evaluations" / "generation-00002.parquet", copy / "manifest" / "generation-00002.json"):
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(UserError, match=rf"{path.name} is missing; generations 1-1 are intact"):
            evonas.load(copy, Toy()).front()
        path.write_bytes(data[:-1])
        with pytest.raises(UserError, match=rf"{path.name} is damaged.*generations 1-1 are intact"):
            evonas.load(copy, Toy()).status()
        path.write_bytes(data)
    evonas.load(copy, Toy()).status()


def test_a_removed_newest_generation_is_noticed(finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    for kind in ("manifest", "evaluations", "populations"):
        next((copy / kind).glob("generation-00003.*")).unlink()
    with pytest.raises(UserError, match=r"manifest/generation-00003\.json is missing; generations 1-2 are intact"):
        evonas.load(copy, Toy()).verify()


def test_a_removed_journal_is_noticed(finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    next((copy / "journal").iterdir()).unlink()
    with pytest.raises(UserError, match=r"journal is missing; generations 1-3 are intact"):
        evonas.load(copy, Toy()).verify()


@pytest.mark.parametrize("name", ["run.json", "starts/0001.json", "starts/ended-0001.json", "manifest", "evaluations"])
def test_every_flipped_byte_and_every_cut_of_a_file_is_named(name: str, finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    path = copy / name if name.endswith("json") else next((copy / name).glob("generation-00001.*"))
    data = path.read_bytes()
    for at in range(0, len(data), max(1, len(data) // 25)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        if json_alike(data, flipped):  # white space between the tokens: the content is the same
            continue
        with pytest.raises(UserError, match=path.name):
            evonas.load(copy, Toy()).verify()
        path.write_bytes(data[:at])
        with pytest.raises(UserError, match=path.name):
            evonas.load(copy, Toy()).verify()


def json_alike(first: bytes, second: bytes) -> bool:
    try:
        return bool(json.loads(first) == json.loads(second))
    except ValueError:
        return False


@pytest.mark.parametrize("kind", ["journal", "manifest", "evaluations", "populations"])
@pytest.mark.parametrize("mode", ["window", "async"])
def test_a_damaged_run_goes_on_from_what_is_proven(kind: str, mode: str, tmp_path: Path) -> None:
    """Cut and flipped at many places, each time the search that follows verifies; in window mode it is the same."""
    whole = run(tmp_path / "whole", schedule={"mode": mode})
    with pytest.raises(Stop):
        run(tmp_path / "half", stopping_after(29), schedule={"mode": mode})
    (victim, *_) = sorted((tmp_path / "half" / kind).iterdir())[-1:]
    data = victim.read_bytes()
    for at in range(3, len(data), len(data) // (3 if mode == "window" else 2)):
        copy = copied(tmp_path / "half", tmp_path)
        damaged = copy / kind / victim.name
        damaged.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(UserError, match=victim.name):
            evonas.load(copy, Toy()).verify()
        start = prepared(copy, config(schedule={"mode": mode}))
        execute(start, watch=quiet)
        found = evonas.load(copy, Toy())
        assert found.verify().difference == ""
        assert found.evaluations["candidate"].tolist() == list(range(40))
        assert [path.read_bytes() for path in (copy / "damaged").glob(f"*{kind}-{victim.name}")] == [
            damaged_data(data, at)
        ]
        if mode == "window":
            assert content(found) == content(whole)
        shutil.rmtree(copy)


def damaged_data(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


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
    description = from_document("run.json", path.read_bytes())
    path.write_bytes(to_document({**description, "schema_version": 99}))
    with pytest.raises(UserError, match="schema version 99; this evonas reads versions 3 to 6"):
        evonas.load(copy)
    path.write_text("{")
    (copy / "starts" / "0001.json").unlink()  # it has a copy
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


def test_async_generations_that_came_after_a_lost_birth_do_not_count(tmp_path: Path) -> None:
    """Recorded out of order: generation 3 holds candidates born after some of the damaged generation 2."""
    copy = Path(shutil.copytree(Path(__file__).parent / "recorded" / "async", tmp_path / "run"))
    for name in ("evaluations/generation-00002.parquet", "journal/0002-000003.jsonl"):
        path = copy / name
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        description = evonas.load(copy).description
        record = recover(open_folder(copy), description["metrics"], description["targets"], salvage=True)
        indices = [candidate.index for candidate, _ in record.births()]
        assert indices == list(range(len(indices)))
        path.write_bytes(data)


def test_a_lost_start_is_not_counted_again(tmp_path: Path) -> None:
    for count in (3, 6):
        with pytest.raises(Stop):
            run(tmp_path / "run", stopping_after(count))
    (tmp_path / "run" / "starts" / "0002.json").unlink()
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(7))
    assert [path.name for path in (tmp_path / "run" / "journal").iterdir()] == ["0003-000001.jsonl"]


def test_a_run_without_its_description_is_not_new(finished: Path, tmp_path: Path) -> None:
    copy = copied(finished, tmp_path)
    (copy / "run.json").unlink()
    (copy / "starts" / "0001.json").unlink()  # it has a copy
    with pytest.raises(UserError, match="neither empty nor a run folder"):
        run(copy)


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"\.lock cannot be locked"):
        run(tmp_path / "run")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any) -> Any:
        raise UserError("no worker could start")

    monkeypatch.setitem(RUNTIMES, "serial", failing)
    folder = tmp_path / "runs" / "one"
    if there:
        folder.mkdir(parents=True)
    with pytest.raises(UserError, match="no worker could start"):
        run(folder)
    assert (tmp_path / "runs").exists() == there
    assert not there or not [*folder.iterdir()]
    monkeypatch.undo()
    before = content(run(folder))
    monkeypatch.setitem(RUNTIMES, "serial", failing)
    with pytest.raises(UserError, match="no worker could start"):
        run(folder, budget={"evaluations": 44})
    assert content(evonas.load(folder, Toy())) == before


@pytest.mark.parametrize("how", ["removed", "moved", "emptied"])
def test_a_folder_that_goes_away_ends_the_search_at_its_next_write(how: str, tmp_path: Path) -> None:
    folder, away = tmp_path / "run", tmp_path / "away"
    evaluated = []

    def watch(loop: Search, evaluation: Evaluation | None) -> None:
        evaluated.append(loop.evaluated)
        if loop.evaluated == 3 and folder.exists() and not away.exists():
            if how == "moved":
                folder.rename(away)
            else:
                shutil.rmtree(folder)
            if how == "emptied":
                folder.mkdir()

    with pytest.raises(Halted, match=r"run was removed or moved while the search ran: it has no run\.json any more"):
        run(folder, watch, budget={"evaluations": 20})
    assert max(evaluated) <= 5
    assert not (folder / "evaluations").exists()


def test_a_finished_search_has_nothing_to_do_and_writes_nothing(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copied(finished, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    with monkeypatch.context() as patched:
        patched.setattr(LocalFolder, "lock", lambda *_: pytest.fail("the folder may be read-only"))
        patched.setitem(RUNTIMES, "serial", lambda *_: pytest.fail("no worker is needed"))
        assert len(run(copy, budget={"evaluations": 20}).evaluations) == 20
        assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    assert len(run(copy, budget={"evaluations": 24}).evaluations) == 24, "a larger budget goes on"


def test_a_place_where_no_folder_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    run = tmp_path / "file" / "run"
    with pytest.raises(UserError, match=f"{run} cannot be a run folder: .*: Not a directory; give another folder"):
        open_folder(run).lock(take_over=False)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted by Linux's /proc")
def test_reading_a_run_starts_no_thread() -> None:
    """Arrow's may abort a process that ends soon after, and exit statuses with it."""
    program = (
        "import os, sys, scipy.linalg\n"
        "from evonas.analysis.frames import evaluations, populations\n"
        "from evonas.store import open_folder, read_run\n"
        "folder, threads = open_folder(sys.argv[1]), lambda: set(os.listdir('/proc/self/task'))\n"
        "before, run = threads(), read_run(folder)\n"
        "print(len(evaluations(folder, run)), len(populations(folder, run)))\n"
        "print(sorted(threads() - before))\n"
    )
    run = Path(__file__).parent / "recorded" / "window"
    said = subprocess.run([sys.executable, "-c", program, str(run)], capture_output=True, text=True, check=True).stdout
    rows, threads = said.splitlines()
    assert min(map(int, rows.split())) > 0
    assert threads == "[]"
