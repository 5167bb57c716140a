"""Whose a job of Slurm is: another job can have the number that a folder knows."""

from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.slurm import provider as slurm
from evonas.launch.state import change, read
from tests.launch.stand_ins import Told, stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import SLURM

FOLDER = Path("cluster-slurm")
UP = ["cluster", "up", "slurm", "c.yaml", "--run", "/r/one", "--yes"]
SCONTROL = """
*"show config"*) echo "ClusterName             = ${HERE_IS:-alpha}" ;;
*"show job"*) echo "   StdErr=$HERE/said/%j.txt"; echo "   StdOut=$HERE/said/%j.txt" ;;
"""
MINE = "/home/me/cluster-slurm/slurm.sbatch /home/me/c.yaml /r/one --set a=1"
OTHERS = {
    "a program of mine": ("training", "/x/train.sh"),
    "another search of mine": ("evonas-one", "/y/cluster-slurm/slurm.sbatch /y/c.yaml /y/one"),
    "a search of a longer name": ("evonas-one-more", "/y/slurm.sbatch /y/c.yaml /r/one-more"),
    "a program without a line": ("evonas-two", ""),
}


@pytest.fixture
def told(user: Path, monkeypatch: pytest.MonkeyPatch) -> Told:  # noqa: F811
    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (_interrupted,))
    (user / "queue").write_text("RUNNING")
    return stand_in(user, monkeypatch, **SLURM, scontrol=SCONTROL)


def _interrupted(_: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("other", OTHERS)
def test_a_job_that_only_has_the_number_is_left_alone(
    other: str, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    name, line = OTHERS[other]
    change(FOLDER, jobs={"/r/one": "8"})
    Path("jobs").write_text(f"8\t{name}\t{line}\n")
    main(["cluster", "status", "slurm"])
    assert "job 8, running: /r/one" not in capsys.readouterr().out
    main(["cluster", "down", "slurm", "--yes"])
    assert told.lines("scancel") == []
    assert read(FOLDER).jobs == {}
    change(FOLDER, jobs={"/r/one": "8"})
    assert main(UP) == 130
    assert len(told.lines("sbatch ")) == 1  # and the search has a job of its own
    assert "submitted as job 7\n" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "line"), [("evonas-one", MINE), ("mine", MINE), ("evonas-one", "")])
def test_a_job_that_writes_the_run_folder_is_the_folders(
    name: str, line: str, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    change(FOLDER, jobs={"/r/one": "8;alpha"})
    Path("jobs").write_text(f"8\t{name}\t{line}\n")
    assert main(UP) == 130
    assert told.lines("sbatch ") == []
    assert "job 8 is running" in capsys.readouterr().out
    assert main(["cluster", "down", "slurm", "--yes"]) == 0
    assert told.lines("scancel") == ["scancel 8"]


def test_each_slurm_cluster_has_numbers_of_its_own(
    user: Path,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(user, monkeypatch, sbatch=SLURM["sbatch"].replace(";alpha", ""))
    change(FOLDER, jobs={"/r/one": "8;alpha"})
    Path("jobs").write_text(f"8\tevonas-one\t{MINE}\n")
    monkeypatch.setenv("HERE_IS", "beta")
    line = "job 8 of Slurm cluster alpha may write /r/one, and nobody looks there: give this line there, or with "
    for action, status in (("status", 1), ("down", 1)):
        assert main(["cluster", action, "slurm", *(["--yes"] if action == "down" else [])]) == status
        assert f"{line}SLURM_CLUSTERS=alpha\n" in capsys.readouterr().out
    assert read(FOLDER).jobs == {"/r/one": "8;alpha"}
    assert main(UP) == 2
    assert f"{line}SLURM_CLUSTERS=alpha; where it has ended: --anyway\n" in capsys.readouterr().err
    assert told.lines("scancel") == told.lines("sbatch ") == []
    Path("jobs").write_text("8\ttraining\t/x/train.sh\n")
    assert main([*UP, "--anyway"]) == 130
    assert read(FOLDER).jobs == {"/r/one": "7;beta"}


def test_of_several_slurm_clusters_that_are_asked_the_jobs_own_is_told(
    user: Path,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = r"ARRAY_JOB_ID\tSTATE\tWORK_DIR\tNAME\tCOMMAND\t.\n8\tPENDING\t/a\t{0}\t\t.\n"
    both = rf"CLUSTER: alpha\n{rows.format('training')}\nCLUSTER: beta\n{rows.format('evonas-one')}"
    gone = '[ ! -e "$HERE/queue" ] || printf'
    without = '| sed "/^CLUSTER\\|^ARRAY/d"'
    squeue = f"*%r*) echo Priority ;; *--noheader*) {gone} '{both}' {without} ;; *--me*) {gone} '{both}' ;;"
    stand_in(user, monkeypatch, squeue=squeue)
    monkeypatch.setenv("SLURM_CLUSTERS", "alpha,beta")
    change(FOLDER, jobs={"/r/one": "8;beta"})
    assert main(UP) == 130
    assert told.lines("sbatch ") == []
    assert "job 8 is pending (Priority)" in capsys.readouterr().out
    assert told.lines("scontrol --clusters=beta show job 8") != []
    assert told.lines("squeue --clusters=beta --noheader --jobs=8") != []
    assert main(["cluster", "down", "slurm", "--yes"]) == 0
    assert told.lines("scancel") == ["scancel --clusters=beta 8"]


def test_what_a_job_says_is_shown_wherever_it_is_sent(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    Path("said").mkdir()
    Path("said/7.txt").write_text("the first generation\n")
    assert main([*UP, "--sbatch=--output=said/%j.txt"]) == 130
    assert told.lines("sbatch ", "--output=said/%j.txt")
    out = capsys.readouterr().out
    assert f"what it says is in {Path.cwd() / 'said/7.txt'}\n" in out
    assert "\nthe first generation\n" in out


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "sbatch: unrecognized option '--foo=1'\\nTry \"sbatch --help\" for more information",
            "sbatch does not take the job: unrecognized option '--foo=1'",
        ),
        (
            "sbatch: error: invalid partition specified: x\\nsbatch: error: Batch job submission failed: Invalid part",
            "sbatch does not take the job: invalid partition specified: x; Batch job submission failed: Invalid part",
        ),
        ("", "sbatch does not take the job: it ended with status 1"),
    ],
)
def test_what_sbatch_refuses_is_one_line(
    said: str,
    line: str,
    user: Path,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quoted = said.replace("'", "'\\''")
    stand_in(user, monkeypatch, sbatch=f"*) printf '{quoted}' >&2; exit 1 ;;")
    assert main([*UP, "--sbatch=--foo=1"]) == 2
    assert f"evonas: {line}\n" in capsys.readouterr().err
    assert told.lines("sbatch ", "--foo=1")


def test_a_greeting_before_the_number_is_passed_over_and_no_number_is_said(
    user: Path,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(user, monkeypatch, sbatch="*) echo Welcome; echo 9 ;;")
    assert main(UP) == 130 or told
    assert read(FOLDER).jobs == {"/r/one": "9;alpha"}
    stand_in(user, monkeypatch, sbatch="*) echo Welcome ;;")
    assert main([*UP, "--run", "/r/two"]) == 2
    assert "sbatch says no number of a job, but 'Welcome'" in capsys.readouterr().err
