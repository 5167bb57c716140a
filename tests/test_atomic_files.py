"""Files that are whole or not there."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from evonas import atomic_files

BOTH = pytest.mark.parametrize("write", [atomic_files.create, atomic_files.replace])


@BOTH
def test_a_file_is_there_with_its_content_and_nothing_else(write: Any, tmp_path: Path) -> None:
    write(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


@BOTH
def test_a_file_has_the_permissions_that_the_user_wants_for_new_files(write: Any, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@BOTH
def test_a_full_disk_leaves_what_was_there(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atomic_files.create(tmp_path / "old", b"before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for name in ("old", "new"):
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path / name, b"after")
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]
    assert (tmp_path / "old").read_bytes() == b"before"


def test_the_first_to_create_a_file_wins(tmp_path: Path) -> None:
    atomic_files.create(tmp_path / "one", b"first")
    with pytest.raises(FileExistsError):
        atomic_files.create(tmp_path / "one", b"second")
    assert (tmp_path / "one").read_bytes() == b"first"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_last_to_replace_a_file_wins_and_a_reader_keeps_what_it_opened(tmp_path: Path) -> None:
    atomic_files.replace(tmp_path / "one", b"first")
    with (tmp_path / "one").open("rb") as reader:
        atomic_files.replace(tmp_path / "one", b"second")
        assert reader.read() == b"first"
    assert (tmp_path / "one").read_bytes() == b"second"


@BOTH
def test_a_link_in_its_place_is_not_followed(write: Any, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    if write is atomic_files.create:
        with pytest.raises(FileExistsError):
            write(tmp_path / "link", b"content")
    else:
        write(tmp_path / "link", b"content")
        assert (tmp_path / "link").read_bytes() == b"content"
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        atomic_files.replace(tmp_path, b"content")
    assert tmp_path.is_dir()
