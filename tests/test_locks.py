"""One writer of a run folder where the file system has no locks, and where it answers twice."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas import atomic_files
from evonas.cli import main
from evonas.doctor.needs import try_inside
from evonas.errors import UserError
from evonas.runtime import RUNTIMES
from evonas.store import lease, open_folder
from evonas.store.folder import LocalFolder
from evonas.store.lease import LEASE
from tests.synthetic import Toy
from tests.test_loop import content, run


def without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    monkeypatch.setattr(lease, "SILENT_S", 1.0)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_no_file_can_be_locked_a_lease_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """ENOSYS: Lustre without -o flock; ENOLCK: NFS whose lock daemon is away."""
    without_locks(monkeypatch, number)
    folder = LocalFolder(tmp_path / "run")
    held = folder.lock(take_over=False)
    assert folder.is_locked()
    with pytest.raises(UserError, match=r"another search \(.*\) is writing to .*run"):
        folder.lock(take_over=False)
    taken = folder.lock(take_over=True)
    held.close()
    assert folder.is_locked()
    taken.close()
    assert not folder.is_locked()


def test_a_lease_that_nobody_renews_is_worth_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, errno.ENOLCK)
    (tmp_path / LEASE).write_text('{"host": "gone", "token": "1", "beat": 7}')
    folder = LocalFolder(tmp_path)
    folder.lock(take_over=False).close()
    assert not (tmp_path / LEASE).exists()


def test_who_can_lock_respects_a_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login node whose mount has locks, and a compute node whose mount has none."""
    folder = LocalFolder(tmp_path)
    with monkeypatch.context() as there:
        without_locks(there, errno.ENOSYS)
        held = folder.lock(take_over=False)
        there.undo()
        monkeypatch.setattr(lease, "BEAT_S", 0.1)
        assert folder.is_locked()
        with pytest.raises(UserError, match="another search"):
            folder.lock(take_over=False)
    held.close()


def test_a_search_runs_there_and_its_state_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(tmp_path / "whole", budget={"evaluations": 12})
    without_locks(monkeypatch, errno.ENOLCK)
    monkeypatch.setattr(lease, "SILENT_S", 600.0)  # a busy machine beats late
    states: set[str] = set()

    def watch(*arguments: Any) -> None:
        states.add(evonas.load(tmp_path / "run", Toy()).state)

    found = run(tmp_path / "run", watch, budget={"evaluations": 12})
    assert states == {"running"}
    assert content(found) == content(whole)
    assert not (tmp_path / "run" / LEASE).exists()
    assert main(["status", str(tmp_path / "run")]) == 0
    assert "12 candidates evaluated" in capsys.readouterr().out
    try_inside(tmp_path / "doctor")


def test_a_start_that_fails_there_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: Any) -> Any:
        raise UserError("no worker could start")

    without_locks(monkeypatch, errno.ENOSYS)
    monkeypatch.setitem(RUNTIMES, "serial", failing)
    with pytest.raises(UserError, match="no worker could start"):
        run(tmp_path / "runs" / "one")
    assert list(tmp_path.iterdir()) == []


def test_what_else_a_lock_may_fail_with_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, errno.EIO)
    says = rf"{tmp_path}/run/.lock cannot be locked: Input/output error; give a --run on another file system"
    with pytest.raises(UserError, match=says):
        LocalFolder(tmp_path / "run").lock(take_over=False)


def test_a_link_whose_answer_was_lost_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS asks a second time and hears that there is one."""
    real = os.link

    def lost(source: Path, target: Path) -> None:
        real(source, target)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(source))

    monkeypatch.setattr(os, "link", lost)
    folder = open_folder(tmp_path)
    folder.create("journal/a.jsonl", b"ours")
    assert folder.read("journal/a.jsonl") == b"ours"
    assert [path.name for path in (tmp_path / "journal").iterdir()] == ["a.jsonl"]
    with pytest.raises(FileExistsError):
        folder.create("journal/a.jsonl", b"theirs")
    (tmp_path / "there").symlink_to(tmp_path / "journal" / "a.jsonl")
    with pytest.raises(FileExistsError):
        atomic_files.create(tmp_path / "there", b"x")
