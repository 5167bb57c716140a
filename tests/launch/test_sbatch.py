"""Options and scripts with which a job of Slurm would be none of the search, or open to others."""

import re
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch.slurm.guards import check_guards
from evonas.launch.slurm.sbatch_options import asked
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

SCRIPT = shipped("slurm.sbatch")
REFUSED = {
    "--signal=USR1@10": "--signal=USR1@10: the search would not hear that its time ends; B:TERM@SECONDS",
    "--signal=TERM": "--signal=TERM: the search would not hear",
    "--export=NONE": "--export=NONE: the job would lack your PATH",
    "--export=PATH": "--export=PATH: the job would lack your PATH",
    "--export-file=x": "--export-file=x: the job would lack your PATH",
    "--uid=0": "--uid=0: the job would be another user's",
    "--het-group=0": "--het-group=0: the search is one job",
    "--error=x.log": "--error=x.log: what goes wrong would not be shown",
    "-ex.log": "--error=x.log: what goes wrong would not be shown",
    "--chdir=/x": "--chdir=/x: relative paths would be of there",
    "-D/x": "--chdir=/x: relative paths would be of there",
    "--array=0-9": "--array=0-9: each of its jobs would write",
    "--wrap=true": "--wrap=true: another command would run",
    "--wait": "--wait: sbatch would say the job's number when",
    "--test-only": "--test-only: no job would come",
    "--clusters=b": "--clusters=b: the job would not be in the queue",
    "--mem=4X": "--mem=4X: sbatch takes MB, or a size as 16G",
    "--mem=": "--mem=: sbatch takes MB, or a size as 16G",
    "--mem-per-cpu=many": "--mem-per-cpu=many: sbatch takes MB",
    "--cpus-per-task=0": "--cpus-per-task=0: sbatch takes a number, as 4",
    "-nfour": "--ntasks=four: sbatch takes a number, as 4",
}


@pytest.mark.parametrize("word", REFUSED)
def test_an_option_that_the_search_depends_on_is_refused_wherever_it_stands(word: str) -> None:
    with pytest.raises(UserError, match=re.escape(REFUSED[word])):
        asked(SCRIPT, [word], {})
    with pytest.raises(UserError, match=re.escape(REFUSED[word])):
        asked(f"{SCRIPT}\n#SBATCH {word}\n", [], {})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SBATCH_EXPORT", "NONE", "--export=NONE: the job would lack"),
        ("SBATCH_SIGNAL", "USR1", "--signal=USR1: the search would not"),
        ("SBATCH_WAIT", "1", "--wait=1: sbatch would say"),
        ("SBATCH_ERROR", "e.log", "--error=e.log: what goes wrong"),
        ("SBATCH_MEM_PER_CPU", "4X", "--mem-per-cpu=4X: sbatch takes"),
    ],
)
def test_so_is_one_of_the_environment(name: str, value: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        asked(SCRIPT, [], {name: value})


@pytest.mark.parametrize(
    "word",
    [
        *("--signal=B:TERM@120", "--signal=BR:SIGTERM", "--export=ALL", "--export=ALL,A=1", "--mem=4GB", "--mem=0"),
        *("--foo=1", "--output=x.log", "-ox.log", "--gid=7", "--begin=now+1hour", "-c4"),
    ],
)
def test_other_options_are_for_sbatch_to_judge(word: str) -> None:
    assert asked(SCRIPT, [word], {}).nodes == 4


def test_a_job_of_parts_that_differ_is_refused() -> None:
    with pytest.raises(UserError, match="#SBATCH hetjob: the search is one job"):
        asked("#SBATCH -N1\n#SBATCH hetjob\n#SBATCH -N2\n", [], {})


OPEN = {
    "another dashboard": ("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0", "--dashboard-host=0.0.0.0: others"),
    "one in quotes": ("--dashboard-host=127.0.0.1", '--dashboard-host "$ip"', "--dashboard-host=$ip: others"),
    "no token": ("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=disabled", "lacks RAY_AUTH_MODE=token"),
    "a token that is taken back": (
        "listens()",
        "export RAY_AUTH_MODE=disabled\nlistens()",
        "lacks RAY_AUTH_MODE=token",
    ),
    "a token that is forgotten": ("listens()", "unset RAY_AUTH_MODE\nlistens()", "unset RAY_AUTH_MODE: Ray would not"),
    "a token that is behind a sign": ("export RAY_AUTH_MODE", "# export RAY_AUTH_MODE", "lacks RAY_AUTH_MODE=token"),
    "steps without it": ("srun --export=ALL", "srun --export=PATH", "srun --export=PATH: Ray would not"),
    "a process without it": ('"$@" ray start', 'env -i "$@" ray start', "env -i: Ray would not"),
    "an image without it": ("exec --nv", "exec --nv \\\n    --cleanenv", "apptainer exec --nv --cleanenv: Ray would"),
    "a token that all can read": ("listens()", "export RAY_AUTH_TOKEN=abc\nlistens()", "RAY_AUTH_TOKEN=: who can read"),
}


@pytest.mark.parametrize("case", OPEN)
def test_a_script_that_lets_strangers_in_is_refused(case: str) -> None:
    old, new, said = OPEN[case]
    assert old in SCRIPT
    with pytest.raises(UserError, match=re.escape(said)):
        check_guards(SCRIPT.replace(old, new, 1), "slurm.sbatch")


def test_the_script_as_it_comes_and_other_edits_pass() -> None:
    for text in (
        SCRIPT,
        SCRIPT.replace("127.0.0.1", "localhost"),
        f"{SCRIPT}# --dashboard-host=0.0.0.0\nenv | sort -i\n",
    ):
        check_guards(text, "slurm.sbatch")


@pytest.mark.usefixtures("user")
def test_an_open_script_is_a_line_of_up(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cluster-slurm").mkdir()
    Path("cluster-slurm/slurm.sbatch").write_text(SCRIPT.replace("host=127.0.0.1", "host=0.0.0.0"))
    assert main(["cluster", "up", "slurm", "c.yaml", "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("evonas: cluster-slurm/slurm.sbatch: --dashboard-host=0.0.0.0: others could reach")
