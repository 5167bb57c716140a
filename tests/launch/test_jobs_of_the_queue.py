"""Jobs of Slurm that a state does not know: sbatch has not answered, the state is lost, or another folder's."""

import subprocess
import sys
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.slurm import job_lines
from evonas.launch.slurm import provider as slurm
from evonas.launch.slurm.squeue import Job
from evonas.launch.state import change, read
from tests.launch.stand_ins import CONFIG, Told, stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import SLURM

FOLDER = Path("cluster-slurm")
STATE = FOLDER / "state.json"
UP = ["cluster", "up", "slurm", "c.yaml", "--run", "/r/one", "--yes"]
STATUS = ["cluster", "status", "slurm"]
DOWN = ["cluster", "down", "slurm", "--yes"]
OTHER = "/y/cluster-slurm/slurm.sbatch /y/c.yaml {} --set a=1"
QUEUES, _ = SLURM["sbatch"].rsplit(";;", 1)
QUEUES = QUEUES.replace('echo "$number;alpha"; ', "")
UNHEARD = {
    "says nothing till it is interrupted": ("kill -TERM $PPID; sleep 2", 143, "what is up stays up"),
    "fails": ("echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1", 130, "Socket timed out"),
    "says something else": ("echo Welcome", 130, "sbatch says no number of a job, but 'Welcome'"),
}
"""What sbatch does once the job is in the queue, how `up` ends, and what it says."""


@pytest.fixture
def told(user: Path, monkeypatch: pytest.MonkeyPatch) -> Told:  # noqa: F811
    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (_interrupted,))
    (user / "queue").touch()
    return stand_in(user, monkeypatch, **SLURM, scontrol='*"show config"*) echo "ClusterName = alpha" ;;')


def _interrupted(_: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", UNHEARD)
def test_a_job_that_sbatch_has_queued_and_not_said_is_found_by_its_line(
    how: str,
    user: Path,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    then, status, said = UNHEARD[how]
    stand_in(user, monkeypatch, sbatch=f"{QUEUES}; {then} ;;")
    if status == 143:  # in a process of its own, which a signal that comes at another moment ends
        done = subprocess.run([sys.executable, "-m", "evonas", *UP], capture_output=True, text=True, check=False)
        assert (done.returncode, said in done.stdout) == (status, True), done
    else:
        assert main(UP) == status
        assert said in capsys.readouterr().out
    assert main(UP) == 130
    assert "job 7 is running" in capsys.readouterr().out
    assert len(told.lines("sbatch ")) == 1
    assert read(FOLDER).jobs == {"/r/one": "7;alpha"}


def test_a_lost_state_starts_no_second_job_of_a_run(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(UP) == 130
    STATE.unlink()
    assert main(STATUS) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "job 7, running: /r/one"
    Path("d.yaml").write_text(CONFIG)
    assert main(["d.yaml" if word == "c.yaml" else word for word in UP]) == 2
    assert f"job 7 of {Path('c.yaml').resolve()} is still there and writes /r/one: " in capsys.readouterr().err
    STATE.unlink()
    assert main(UP) == 130
    out = capsys.readouterr().out
    assert "job 7 of cluster-slurm/slurm.sbatch writes /r/one already: no other one is submitted\n" in out
    assert len(told.lines("sbatch ")) == 1
    STATE.unlink()
    assert main(DOWN) == 0
    assert told.lines("scancel") == ["scancel 7"]
    assert "\nkept: /r/one: its record" in capsys.readouterr().out


def test_a_run_that_another_folders_job_writes_gets_no_second_one(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("queue").write_text("RUNNING")
    Path("jobs").write_text(f"8\tevonas-one\t{OTHER.format('/r/one')}\n")
    assert main(UP) == 2
    said = "job 8, running: evonas-one of /y/cluster-slurm, writes /r/one: wait until it has ended, or --run, another"
    assert f"evonas: {said} one\n" in capsys.readouterr().err
    assert told.lines("sbatch ") == []


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("{}/runs/one", "runs/one"),
        ("runs/one", "{}/runs/one"),
        ("./runs/../runs/one/", "link/runs//one"),
        ("link/runs/one", "runs/one/"),
        ("s3://b/one", "s3://b/one/"),
    ],
)
def test_a_run_folder_is_the_same_however_it_is_spelled(
    there: str, here: str, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("queue").write_text("RUNNING")
    Path("link").symlink_to(".")
    there, here = there.format(Path.cwd()), here.format(Path.cwd())
    up = [here if word == "/r/one" else word for word in UP]
    Path("jobs").write_text(f"8\tevonas-one\t{OTHER.format(there)}\n")
    assert main(up) == 2  # another folder's job
    Path("jobs").write_text(f"8\tevonas-one\t{FOLDER.resolve() / 'slurm.sbatch'} c.yaml {there}\n")
    assert main(up) == 130  # this folder's, found by its line
    assert main([there if word == here else word for word in up]) == 130  # and known by its number
    assert "job 8 is running" in capsys.readouterr().out
    assert told.lines("sbatch ") == []
    (run,) = read(FOLDER).jobs
    assert run in ("s3://b/one", str(Path("runs/one").resolve()))


def test_a_relative_run_folder_is_of_the_jobs_working_folder(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("queue").write_text("RUNNING")
    monkeypatch.setenv("WORKS_IN", "/y")
    Path("jobs").write_text(f"8\tevonas-one\t{OTHER.format('runs/one')}\n")
    assert main(["runs/one" if word == "/r/one" else word for word in UP]) == 130
    assert told.lines("sbatch ", f"{Path.cwd()}/runs/one")


def test_another_folders_search_is_kept_and_no_fault_where_the_state_is_known(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("queue").write_text("RUNNING")
    Path("jobs").write_text(f"8\tevonas-one\t{OTHER.format('/y/one')}\n")
    line = "job 8, running: evonas-one of /y/cluster-slurm, not started from cluster-slurm; scancel 8 ends it"
    assert main(DOWN) == 1  # it may be this folder's, which says nothing
    assert f"still there: {line}\n" in capsys.readouterr().out
    change(FOLDER, cloud="slurm")
    assert main(STATUS) == 0
    assert capsys.readouterr().out.startswith(f"{line}\nto go on")
    for action, word in ((["--dry-run"], "would stay"), (["--yes"], "kept")):
        assert main(["cluster", "down", "slurm", *action]) == 0
        out = capsys.readouterr().out
        assert f"{word}: {line}\n" in out
        assert out.count("job 8") == 1
        assert "still there" not in out
    assert out.startswith("nothing is left in the queue of ")
    assert " (squeue --me) but searches of other folders\n" in out
    Path("jobs").write_text("8\tevonas-one\t\n")  # nothing says whose it is
    assert main(DOWN) == 1
    assert told.lines("scancel") == []


def test_an_interruption_of_sbatch_may_leave_a_job_that_comes(
    user: Path,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(user, monkeypatch, sbatch="*) kill -INT $PPID; sleep 2 ;;")
    assert main(UP) == 130
    assert "nothing of it runs yet, and what was begun may still come and cost" in capsys.readouterr().out
    assert len(told.lines("sbatch ")) == 1


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/a/slurm.sbatch /c.yaml /r/one", ("/a/slurm.sbatch", "/c.yaml", "/r/one")),
        ("/a b/x/../slurm.sbatch /c d.yml /r/on e --set a=1", ("/a b/slurm.sbatch", "/c d.yml", "/r/on e")),
        ("/a/slurm.sbatch /config s3://b/r --import x", ("/a/slurm.sbatch", "/config", "s3://b/r")),
        ("/a/slurm.sbatch /my config /r/on e --set a=1", ("/a/slurm.sbatch", "/my config", "/r/on e")),
        ("/a/slurm.sbatch /config r/one --import /x.py", ("/a/slurm.sbatch", "/config", "/w/r/one")),
        ("/a/slurm.sbatch c.yaml ../r/one/", ("/a/slurm.sbatch", "/w/c.yaml", "/r/one")),
        ("/a/slurm.sbatch /c.yaml", None),
        ("/a/train.sh /c.yaml /r", None),
        ("", None),
    ],
)
def test_what_a_jobs_line_says(line: str, found: tuple[str, str, str] | None) -> None:
    expected = found and job_lines.Line(Path(found[0]), *found[1:])
    assert job_lines.read(Job("7", "RUNNING", "evonas-one", line, "/w")) == expected
