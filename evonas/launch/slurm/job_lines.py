"""What the line of a job says that runs evonas's script: SCRIPT CONFIG RUN OPTION..., without quotes."""

import re
from dataclasses import dataclass
from pathlib import Path

from evonas.launch.slurm.squeue import Job

FILE = "slurm.sbatch"
_LINE = re.compile(rf"(.*?/{re.escape(FILE)}) (.+?\.ya?ml|\S+) (.+?)(?: --.*)?$")


@dataclass(frozen=True, slots=True)
class Line:
    """What a job does.

    Args:
        script: its whole path, also where that is gone.
        config: of the search.
        run: its run folder.
    """

    script: Path
    config: str
    run: str


def read(line: str) -> Line | None:
    """What a line says; None of another program's, and where Slurm does not say it.

    Args:
        line: the script's whole path, and its words.
    """
    found = _LINE.match(line)
    return Line(Path(found[1]).resolve(), found[2], found[3]) if found else None


def described(job: Job) -> str:
    """A job for people, with the folder whose script it runs, where that is said."""
    line = read(job.line)
    return f"job {job.number}, {job.state.lower()}: {job.name}{f' of {line.script.parent}' if line else ''}"
