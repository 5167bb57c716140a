"""Files that are no text, in the folder of a cluster."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from evonas import atomic_files
from evonas.cli import main
from evonas.errors import UserError
from evonas.launch.launch_files.readable import check_readable
from evonas.launch.state import change
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture

FILES = ("slurm.sbatch", "my-cluster.yaml", "cluster.yaml", "my-aws.yaml", "aws.yaml", "my-head-gcp.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_launch_file_that_is_no_text_is_a_line(name: str, tmp_path: Path) -> None:
    check_readable(tmp_path / "none")
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    cure = (
        "remove it, and what runs is counted by .*/my-gcp.yaml" if "head" in name else "mend it, or remove it, and it"
    )
    with pytest.raises(UserError, match=rf"{name} is not text in UTF-8 \(byte 0xff at 0\): {cure}"):
        check_readable(tmp_path)


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("action", ["up", "status", "down"])
@pytest.mark.parametrize("folder", ["c.yaml", "c.yaml/in"])
def test_a_file_in_the_place_of_a_folder_is_said(action: str, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", action, "slurm", "c.yaml", "--folder", folder]) == 2
    said = "evonas: c.yaml is a file, and launch files and state are kept in a folder: --folder, another one\n"
    assert capsys.readouterr().err == said


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    "line", [["up", "slurm", "c.yaml", "--dry-run"], ["up", "gcp"], ["up", "kubernetes", "c.yaml"]]
)
def test_each_line_says_so(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(f"cluster-{line[1]}")
    folder.mkdir()
    (folder / "my-any.yaml").write_bytes(b"name: \xe9\n")
    assert main(["cluster", *line]) == 2
    assert f"evonas: {folder}/my-any.yaml is not text in UTF-8 (byte 0xe9 at 6)" in capsys.readouterr().err


@pytest.fixture
def queue(user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """Of Slurm, in which nothing is; the folder of its cluster."""
    stand_in(user, monkeypatch, squeue="", scancel="", sbatch="")
    (folder := user / "cluster-slurm").mkdir()
    return folder


def test_a_state_that_is_a_folder_is_put_aside_as_a_damaged_one(
    queue: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "cluster-slurm/state.json is not as evonas wrote it: remove it, and give all options again"
    for action in (["status"], ["down", "--yes"]):
        (queue / "state.json" / "in it").mkdir(parents=True)
        assert main(["cluster", "up", "slurm", "c.yaml", "--yes"]) == 2
        assert capsys.readouterr().err == f"evonas: {line}\n"
        assert main(["cluster", "down", "slurm", "--dry-run"]) == 0
        assert f"note: {line}; `down` would put it aside" in capsys.readouterr().out
        assert (queue / "state.json" / "in it").is_dir()
        assert main(["cluster", action[0], "slurm", *action[1:]]) == 0
        assert f"note: {line}; it is cluster-slurm/state.json.damaged now" in capsys.readouterr().out
        (queue / "state.json.damaged" / "in it").rmdir()


def test_a_folder_where_another_file_should_be_is_a_line(queue: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(queue, started=True)
    (queue / ".state.lock").unlink()
    (queue / ".state.lock").mkdir()
    assert main(["cluster", "down", "slurm", "--yes"]) == 2
    assert capsys.readouterr().err == "evonas: cluster-slurm/.state.lock: Is a directory\n"


def test_a_file_system_without_hard_links_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(OSError, match="has no hard links, which a run folder needs: another --run") as caught:
        atomic_files.create(tmp_path / "run.json", b"{}")
    assert caught.value.filename == str(tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []
