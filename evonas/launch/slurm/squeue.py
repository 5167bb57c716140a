"""What Slurm's queue says of jobs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from evonas.errors import UserError
from evonas.launch import programs

ENDED = (
    *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"),
    *("OUT_OF_MEMORY", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"),
)
"""States of jobs that hold nothing any more. Slurm has many of the others, as SIGNALING, STAGE_OUT and SPECIAL_EXIT."""
_FORMAT = "--format=%F\t%T\t%Z\t%j\t%o\t."
"""The end is not blank, for a line may be empty."""
_HEADING = "CLUSTER: "
"""Before the jobs of each Slurm cluster, where SLURM_CLUSTERS names some; newer ones leave it out with --noheader."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that has not ended.

    Args:
        number: as scancel takes it.
        state: in Slurm's words, none of `ENDED`.
        name: as sbatch was given it.
        line: the script's whole path, and its words.
        folder: its working folder, of which relative words are.
        cluster: the name of its Slurm cluster; empty where nobody says it.
    """

    number: str
    state: str
    name: str
    line: str
    folder: str
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """The jobs of this user that have not ended, whoever has started them.

    Args:
        jobs: of all partitions.
        clusters: the Slurm clusters that were asked; empty where nobody says it.
    """

    jobs: tuple[Job, ...]
    clusters: tuple[str, ...]


def queue(here: str) -> Queue:
    """What there is now.

    Args:
        here: the name of the Slurm cluster that is here; empty where nobody says it.

    Raises:
        UserError: There is no squeue, or it says no.
    """
    code, said = programs.ask("squeue", "--me", "--states=all", _FORMAT)
    if code:
        raise UserError(f"squeue: {said}")
    headings = [line.removeprefix(_HEADING).strip() for line in said.splitlines() if line.startswith(_HEADING)]
    jobs = {(job.cluster, job.number): job for job in _jobs(said, here)}  # the tasks of an array are one job
    named = os.environ.get("SLURM_CLUSTERS", "").split(",")
    return Queue(tuple(jobs.values()), tuple(filter(None, headings or (named if any(named) else [here]))))


def only(cluster: str) -> list[str]:
    """The option with which one Slurm cluster is asked, of those in SLURM_CLUSTERS, which may have a job of the same
    number each."""
    return [f"--clusters={cluster}"] if cluster and os.environ.get("SLURM_CLUSTERS") else []


def why_waiting(job: Job) -> str:
    """Why a job does not run yet, in Slurm's words; empty where it does not say it."""
    code, said = programs.ask("squeue", *only(job.cluster), "--noheader", f"--jobs={job.number}", "--format=%r")
    reason = (said.splitlines() or [""])[-1]
    return "" if code or reason == "None" else reason


def _jobs(said: str, here: str) -> Iterator[Job]:
    cluster = here
    for line in said.splitlines():
        if line.startswith(_HEADING):
            cluster = line.removeprefix(_HEADING).strip()
        elif line.count("\t") >= 4:
            number, state, folder, name, command = line.removesuffix("\t.").split("\t", 4)
            if number.isdecimal() and state not in ENDED:  # the first line is a header
                yield Job(number, state, name, command, folder, cluster)
