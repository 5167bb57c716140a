"""What Slurm's queue says of jobs."""

from dataclasses import dataclass

from evonas.errors import UserError
from evonas.launch import programs

ENDED = (
    *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"),
    *("OUT_OF_MEMORY", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"),
)
"""States of jobs that hold nothing any more. Slurm has many of the others, as SIGNALING, STAGE_OUT and SPECIAL_EXIT."""

_SCRIPT = "/slurm.sbatch"
"""In the line of a job, as Slurm keeps it: the script's whole path, and its words."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that has not ended.

    Args:
        number: as scancel takes it.
        state: in Slurm's words, none of `ENDED`.
        name: as sbatch was given it.
    """

    number: str
    state: str
    name: str


def jobs_of_user() -> list[Job]:
    """The jobs of this user that have not ended, whoever has started them.

    Raises:
        UserError: There is no squeue, or it says no.
    """
    lines = programs.ask("squeue", "--me", "--noheader", "--states=all", "--format=%F|%T|%j")
    if lines[0]:
        raise UserError(f"squeue: {lines[1]}")
    rows = (line.strip().split("|", 2) for line in lines[1].splitlines() if line.count("|") >= 2)
    return list({row[0]: Job(*row) for row in rows if row[1] not in ENDED}.values())  # tasks of an array are one job


def searches() -> set[str]:
    """The numbers of this user's jobs that run evonas's script, whatever their names are; none where nobody says it."""
    code, said = programs.ask("squeue", "--me", "--noheader", "--states=all", "--format=%F|%o")
    rows = (line.strip().partition("|") for line in said.splitlines())
    return set() if code else {number for number, _, command in rows if _SCRIPT in command}


def of_job(number: str) -> str:
    """The state of a job; empty for one that has ended, or that squeue knows no more.

    Raises:
        UserError: There is no squeue, or it does not answer.
    """
    code, said = programs.ask("squeue", "--noheader", f"--jobs={number}", "--format=%T")
    if code and "nvalid job id" not in said:
        raise UserError(f"squeue: {said}")
    rows = [line.strip() for line in said.splitlines() if not line.startswith("CLUSTER:")]  # as of SLURM_CLUSTERS
    return "" if code or not rows or rows[0] in ENDED else rows[0]
