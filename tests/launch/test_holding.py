"""Several lines of `evonas cluster` in one folder at once."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.errors import UserError
from evonas.launch.holding import LOCK, held, holder
from evonas.launch.slurm import provider as slurm
from evonas.launch.state import alter, read
from evonas.launch.tunnel import close
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import SLURM
from tests.test_locks import without_locks

FOLDER = Path("cluster-slurm")
UP = ["cluster", "up", "slurm", "c.yaml", "--yes"]


@pytest.mark.usefixtures("user")
def test_a_second_line_is_refused_while_one_starts_and_not_while_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told, seen = stand_in(tmp_path, monkeypatch, **SLURM), list[int]()

    def meanwhile(_: float) -> None:
        seen.append(main(["cluster", "down", "slurm", "--yes"]))
        assert seen == [0]

    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (meanwhile,))
    with held(FOLDER, "up"):
        for line in (UP, ["cluster", "down", "slurm", "--yes"]):
            assert main(line) == 2
            (said,) = capsys.readouterr().err.splitlines()
            assert said.startswith(f"evonas: another evonas cluster up, process {os.getpid()} on ")
            assert ", holds cluster-slurm: wait until its search has begun or it has ended" in said
        assert main(["cluster", "status", "slurm"]) == 0
        assert f"evonas cluster up, process {os.getpid()} on " in capsys.readouterr().out
        assert main(["cluster", "down", "slurm", "--dry-run"]) == 0  # touches nothing
    assert (told.lines("sbatch"), FOLDER.exists(), holder(FOLDER)) == ([], False, "")
    assert main(UP) == 1  # its job was taken down while it was shown
    assert (seen, told.lines("scancel")) == ([0], ["scancel 7"])


def test_who_was_killed_holds_nothing(tmp_path: Path) -> None:
    text = "import os, sys, evonas.launch.holding as h, pathlib as p; line = h.held(p.Path(sys.argv[1]), 'up')"
    subprocess.run(
        [sys.executable, "-c", f"{text}; line.__enter__(); os.kill(os.getpid(), 9)", str(tmp_path)], check=False
    )
    assert (tmp_path / LOCK).read_text().startswith("evonas cluster up, process ")
    assert holder(tmp_path) == ""
    with held(tmp_path, "down"):
        assert holder(tmp_path).startswith(f"evonas cluster down, process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be_locked_a_lease_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(monkeypatch, errno.ENOLCK)
    with held(tmp_path / "a" / "b", "up"):
        with pytest.raises(UserError, match="another evonas cluster up, process"), held(tmp_path / "a" / "b", "down"):
            pass
        alter(tmp_path / "a" / "b", lambda state: replace(state, started=True))
    with held(tmp_path / "a" / "b", "down"):
        pass
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [".state.lock", "state.json"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file cannot be written: File exists; --folder, another one"):
        held(tmp_path / "file", "up").__enter__()


def test_what_two_lines_note_at_once_is_all_there(tmp_path: Path) -> None:
    def note(number: int) -> None:
        alter(tmp_path, lambda state: replace(state, jobs={**state.jobs, str(number): ""}))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(note, range(48)))
    assert len(read(tmp_path).jobs) == 48


@pytest.mark.parametrize(("all_of_it", "ended"), [(False, False), (True, True)])
def test_the_tunnel_of_a_line_that_shows_a_search_is_closed_by_down_alone(
    tmp_path: Path, all_of_it: bool, ended: bool
) -> None:
    line = [sys.executable, "-c", "import time; time.sleep(600)", "port-forward"]
    with subprocess.Popen(line, start_new_session=True) as process:
        alter(tmp_path, lambda state: replace(state, tunnels={str(process.pid): os.getpid()}))
        close(tmp_path, all_of_it=all_of_it)
        process.kill()  # nothing where it was ended before
        assert (read(tmp_path).tunnels == {}) is ended
        assert process.wait() == (-15 if ended else -9)
