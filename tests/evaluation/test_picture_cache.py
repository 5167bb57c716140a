"""Pictures are decoded once, into a file that is whole or not there, and read from it where memory has no room."""

import errno
import io
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evonas.config import Config, PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.agreement import data_digest
from evonas.run_identity.comparing import different_key, resolved
from evonas.tasks import TASKS, Task, room
from evonas.tasks.data_record import describing
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.pictures import bound, decoding, part, progress, stored
from evonas.tasks.pictures.images import Form
from evonas.tasks.splitting import joined
from evonas.testing import check_task

N = 60
FORK = multiprocessing.get_context("fork")
"""Of a test's own processes: an interpreter would take seconds to import what they need."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with 60 pictures in class folders below `pictures`, some of which are turned or grey."""
    rng = np.random.default_rng(0)
    for i in range(N):
        place = tmp_path / "pictures" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
        exif = picture.getexif()
        exif[0x0112] = 6 if i % 10 == 0 else 1
        (picture.convert("L") if i % 4 == 0 else picture).save(place / f"patient{i // 6}-{i}.png", exif=exif)
    return tmp_path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each picture that is decoded."""
    found, pixels = list[int](), Form.pixels

    def counted(self: Form, picture: Any) -> Any:
        found.append(1)
        return pixels(self, picture)

    monkeypatch.setattr(Form, "pixels", counted)
    return found


def made(folder: Path, **options: Any) -> Task:
    section = {"kind": "image_folder", "path": str(folder / "pictures"), "size": 6, "cache": str(folder / "cache")}
    return construct(TASKS, PartConfig.model_validate(section | options), "task")


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cache").iterdir() if not path.name.endswith(".lock"))


def same(first: Task, second: Task) -> bool:
    splits = zip(first.splits.parts.values(), second.splits.parts.values(), strict=True)
    every = [(a.read(np.arange(len(a))), b.read(np.arange(len(b)))) for a, b in splits]
    pixels = all(np.array_equal(x, other) and np.array_equal(y, label) for (x, y), (other, label) in every)
    return pixels and first.notes == second.notes


def test_pictures_are_decoded_once_and_again_where_they_or_what_they_become_are_others(
    folder: Path, decoded: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(folder)
    assert len(decoded) == N + 1  # one says how deep they are
    assert capsys.readouterr().err.splitlines()[0] == "decoding 60 pictures of pictures"
    decoded.clear()
    assert same(made(folder), first)
    assert not decoded
    assert not capsys.readouterr().err
    assert same(made(folder, cache=False), first)
    assert any("6 pictures are turned upright" in note for note in first.notes)
    for change in ({"size": 5}, {"channels": 1}):
        decoded.clear()
        made(folder, **change)
        assert len(decoded) == N + 1
    file = folder / "pictures" / "a" / "patient0-0.png"
    decoded.clear()
    os.utime(file, ns=(0, time.time_ns() + 10**9))
    made(folder)
    assert len(decoded) == N + 1, "it was touched"
    assert len(entries(folder)) == 4


def test_what_is_kept_and_damaged_is_decoded_again(
    folder: Path, decoded: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    first = made(folder)
    said = capsys.readouterr().err.splitlines()
    (name,) = entries(folder)
    assert said[-1].startswith("60 pictures decoded in 0:00; 0.00661 MB of ")
    assert said[-1].endswith(f"{folder / 'cache' / name} keep them (task.cache)")
    file = folder / "cache" / name / "pixels.npy"
    file.write_bytes(file.read_bytes()[:-1])
    decoded.clear()
    assert same(made(folder), first)
    assert len(decoded) == N + 1
    assert "is damaged; the pictures are decoded again" in capsys.readouterr().err


def decode(folder: Path, name: str, at: Callable[[int], None]) -> None:
    """Decode in this process, block by block, and leave how many were and what was said in files of a name.

    at: called before each picture, with how many there were.
    """
    sys.stderr = (folder / f"{name}.err").open("w", buffering=1)
    pixels, count = Form.pixels, [0]

    def counted(self: Form, picture: Any) -> Any:
        at(count[0])
        count[0] += 1
        return pixels(self, picture)

    Form.pixels = counted  # type: ignore[method-assign]
    decoding.BLOCK, part.FLUSH_S, decoding.machine_cores = 8, -1.0, lambda: 1  # type: ignore[assignment]
    made(folder)
    (folder / f"{name}.count").write_text(str(count[0]))


def test_a_killed_decode_is_taken_for_nothing_and_gone_on_with(folder: Path, decoded: list[int]) -> None:
    def killed(count: int) -> None:
        if count == 45:  # in the sixth block
            (blocks,) = (folder / "cache").glob(".*.part/blocks.jsonl")
            while blocks.read_text().count("start") < 5:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

    for name, at in (("first", killed), ("second", lambda _: None)):
        process = FORK.Process(target=decode, args=(folder, name, at))
        process.start()
        process.join()
        (kept,) = entries(folder)
        assert kept.endswith(".part") is (name == "first")
    assert not (folder / "first.count").exists()
    assert int((folder / "second.count").read_text()) == N + 1 - 5 * 8, "five blocks were written before"
    assert "40 of them were before an interruption" in (folder / "second.err").read_text()
    decoded.clear()
    found = made(folder)
    assert not decoded
    assert same(found, made(folder, cache=False))


def test_of_two_processes_at_once_one_decodes_and_the_other_reads(folder: Path) -> None:
    def waits(count: int) -> None:
        while count == 30 and not (folder / "go").exists():
            (folder / f"{os.getpid()}.decodes").touch()
            time.sleep(0.01)

    processes = [FORK.Process(target=decode, args=(folder, name, waits)) for name in ("first", "second")]
    for process in processes:
        process.start()
    try:
        while not any("another process" in file.read_text() for file in folder.glob("*.err")):
            assert all(process.is_alive() for process in processes)
            assert len(list(folder.glob("*.decodes"))) < 2
            time.sleep(0.01)
    finally:
        (folder / "go").touch()
        for process in processes:
            process.join()
    assert sorted(int(file.read_text()) for file in folder.glob("*.count")) == [0, N + 1]
    assert len(entries(folder)) == 1


def test_what_memory_has_no_room_for_is_streamed_and_is_the_same_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    monkeypatch.setattr(describing, "SAMPLED_BYTES", 1000)
    held = made(folder, split={"by": "patient[0-9]+"})
    monkeypatch.setattr(room, "machine_memory", lambda: 10_000)
    streamed = made(folder, split={"by": "patient[0-9]+"})
    check_task(streamed)
    assert streamed.splits.train.is_stored
    assert not held.splits.train.is_stored
    assert same(streamed, held)
    assert data_digest(streamed) == data_digest(held)
    assert not data_difference(data_record(held), data_record(streamed))
    both = joined(streamed.splits.train, streamed.splits.valid)
    assert np.array_equal(both.read(np.arange(len(both)))[0], joined(held.splits.train, held.splits.valid).x)
    content = pickle.dumps(streamed.splits)
    assert len(content) < N * 6 * 6 * 3 + 4_000, "it holds no pictures"
    shutil.rmtree(folder / "cache")  # as on another machine
    decoded.clear()
    elsewhere = pickle.loads(content)
    assert np.array_equal(elsewhere.test.read(np.arange(len(elsewhere.test)))[0], held.splits.test.x)
    assert len(decoded) == N + 1
    shutil.rmtree(folder / "cache")
    (folder / "pictures" / "a" / "patient0-0.png").unlink()
    with pytest.raises(UserError, match=r"cannot read 1 picture: .*a/patient0-0\.png: .*No such file"):
        pickle.loads(content).test.read(np.arange(2))


def test_more_than_memory_needs_the_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "machine_memory", lambda: 10_000)
    with pytest.raises(UserError, match=r"there are 1e-05 GB: set a smaller task\.size, or let task\.cache keep"):
        made(folder, cache=False)


def test_a_disk_that_is_full_is_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError) as error:
        made(folder)
    assert str(error.value) == (
        f"task.cache: {folder / 'cache'} cannot keep decoded pictures: No space left on device; give another folder, "
        "or make room there"
    )
    assert not entries(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    task = made(folder, cache=True)
    said = capsys.readouterr().err
    assert (
        "evonas/pictures cannot keep decoded pictures: No space left on device; they are decoded at each start" in said
    )
    assert same(task, made(folder, cache=False))


def test_what_is_not_used_for_long_goes_where_the_cache_would_be_too_large(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The oldest first, none that was used within a day, and not more than is needed."""
    size = N * 3 * 6 * 6
    monkeypatch.setenv(bound.VARIABLE, str(2.9 * size / 1e9))
    days = {}
    for sides, old in ((6, 3), ([6, 5], 5), ([5, 6], 0)):
        made(folder, size=sides)
        (new,) = set(entries(folder)) - set(days)
        days[new] = old
        os.utime(folder / "cache" / new / bound.ABOUT, (time.time() - old * 86400,) * 2)
    capsys.readouterr()
    made(folder, size=6)  # used now, so that of the first two only the second goes
    made(folder, size=[4, 6])
    said = capsys.readouterr().err
    gone = [name for name, old in days.items() if old == 5]
    assert [name for name in days if name not in entries(folder)] == gone
    assert f"{gone[0]}, " in said
    assert f"is removed from {folder / 'cache'}, which keeps" in said
    made(folder, size=[3, 6])
    assert len(entries(folder)) == 4, "what is left was used within a day"
    monkeypatch.setenv(bound.VARIABLE, "much")
    with pytest.raises(UserError, match=r"^EVONAS_PICTURES_GB: takes GB .* not 'much'$"):
        made(folder, size=[2, 6])


def test_what_training_reads_says_so_each_hour(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "machine_memory", lambda: N * 3 * 6 * 6 - 1)
    task = made(folder)
    about = folder / "cache" / entries(folder)[0] / bound.ABOUT
    for later, noted in ((0.5, False), (1.1, True)):
        os.utime(about, (0, 0))
        now = time.monotonic() + later * 3600
        monkeypatch.setattr(stored.time, "monotonic", lambda now=now: now)
        task.splits.train.read(np.arange(2))
        assert (about.stat().st_mtime > 0) == noted


def test_a_damaged_picture_leaves_nothing(folder: Path) -> None:
    file = folder / "pictures" / "b" / "patient9-59.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(
        UserError, match=r"^task\.path: cannot read 1 picture: .*patient9-59\.png: .*; repair or remove"
    ):
        made(folder)
    assert not entries(folder)


def test_where_pictures_are_kept_is_not_what_is_searched() -> None:
    def config(**options: Any) -> Config:
        task = {"kind": "image_folder", "path": "pictures", **options}
        rest = {"space": {"kind": "cell"}, "objectives": [{"metric": "error"}], "budget": {"evaluations": 1}}
        return Config.model_validate({"task": task, **rest})

    plain, others = config(), [config(cache=False), config(cache="elsewhere")]
    for other in others:
        assert other.fingerprint == plain.fingerprint
        recorded, wanted = (resolved(each.model_dump(mode="json")) for each in (plain, other))
        assert not different_key(recorded, wanted)
    assert config(size=5).fingerprint != plain.fingerprint


def test_a_terminal_gets_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(progress, "REFRESH_S", 0.0)
    spoken = progress.Spoken()
    spoken.begin("pictures", N, 20)
    spoken.done(40)
    spoken.say("done")
    assert sys.stderr.getvalue().startswith("\r\x1b[2Kdecoding pictures: 40/60, 0:00 elapsed, 0:00 left\r\x1b[2Kdone\n")


# -- a table of pictures --


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Task]:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"]), "patient": datasets.Value("string")}
    )
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(N)]
    columns = {
        "image": images,
        "label": [int(i % 4 == 0) for i in range(N)],
        "patient": [f"p{i // 6}" for i in range(N)],
    }
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(tmp_path / "saved"))
    monkeypatch.chdir(tmp_path)
    section = {"kind": "huggingface", "name": "saved", "size": 6, "cache": "cache"}
    return lambda **options: construct(TASKS, PartConfig.model_validate(section | options), "task")


def test_pictures_of_a_table_are_decoded_once_and_decoded_elsewhere(
    saved: Callable[..., Task], tmp_path: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = saved()
    assert len(decoded) == N + 1
    decoded.clear()
    assert same(saved(), held)
    assert not decoded
    assert same(saved(cache=False), held)
    monkeypatch.setattr(room, "machine_memory", lambda: 10_000)
    streamed = saved()
    content = pickle.dumps(streamed.splits)
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.chdir(tmp_path.parent)
    assert np.array_equal(pickle.loads(content).test.read(np.arange(2))[0], held.splits.test.x[:2])
    assert len(entries(tmp_path)) == 1


def test_a_table_of_pictures_is_split_by_a_column_and_weighs_classes(saved: Callable[..., Task]) -> None:
    task = saved(split={"by": "patient"}, class_weights="balanced", valid_fraction=0.2, test_fraction=0.2)
    assert {len(split) % 6 for split in task.splits.parts.values()} == {0}
    assert "split by patient: 10 groups, each of which is in one part" in task.notes
    assert any(note.startswith("the loss weighs classes: a 0.6") for note in task.notes)
    with pytest.raises(UserError, match=r"task\.split\.by: unknown 'pateint'; did you mean 'patient'"):
        saved(split={"by": "pateint"})
    with pytest.raises(UserError, match=r"task\.split\.time: patient holds no times"):
        saved(split={"time": "patient"})


# -- arrays --


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_arrays_are_split_by_an_array_beside_them(tmp_path: Path, kind: str) -> None:
    arrays = {"x_train": np.arange(N * 2.0).reshape(N, 2), "y_train": np.arange(N) % 2, "patient": np.arange(N) // 6}
    arrays |= {"when": np.datetime64("2024-01-01") + np.arange(N)[::-1], "short": np.zeros(3)}
    if kind == "npz":
        np.savez(tmp_path / "data.npz", **arrays)
    for name, array in arrays.items() if kind == "npy" else ():
        np.save(tmp_path / f"{name}.npy", array)
    section = {"kind": kind, "path": str(tmp_path / "data.npz" if kind == "npz" else tmp_path)}

    def task(**split: str) -> Task:
        return construct(TASKS, PartConfig.model_validate({**section, "split": split}), "task")

    def rows(found: Task, part: str) -> list[int]:
        split = found.splits.parts[part]
        return sorted((split.read(np.arange(len(split)))[0][:, 0] // 2).astype(int).tolist())

    groups = task(by="patient")
    assert all(len(rows(groups, each)) % 6 == 0 for each in groups.splits.parts)
    assert "split by patient: 10 groups, each of which is in one part" in groups.notes
    assert rows(task(time="when"), "test") == list(range(6)), "the latest"
    for wrong, says in (
        ("patiant", "unknown 'patiant'; did you mean 'patient'"),
        ("short", "a value for each of the 60"),
    ):
        with pytest.raises(UserError, match=rf"^task\.split\.by: .*{says}"):
            task(by=wrong)
