"""What the line of a job says that runs evonas's script: SCRIPT CONFIG RUN OPTION..., without quotes."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from evonas.launch.slurm.squeue import Job

FILE = "slurm.sbatch"
_CONFIG = r".+?\.ya?ml|/(?:(?! --).)+?(?= /| \w+://)|\S+"
"""Of another ending it can have blanks where it and the run folder are whole, as in the lines of `up`."""
_LINE = re.compile(rf"(.*?/{re.escape(FILE)}) ({_CONFIG}) (.+?)(?: --.*)?$")


@dataclass(frozen=True, slots=True)
class Line:
    """What a job does.

    Args:
        script: its whole path, also where that is gone.
        config: of the search, in `one_spelling`.
        run: its run folder, likewise.
    """

    script: Path
    config: str
    run: str


def read(job: Job) -> Line | None:
    """What a job's line says; None of another program's, and where Slurm does not say it."""
    found = _LINE.match(job.line)
    if not found:
        return None
    config, run = (one_spelling(word, job.folder) for word in found.group(2, 3))
    return Line(Path(found[1]).resolve(), config, run)


def one_spelling(place: str, folder: str = "") -> str:
    """A file or run folder as it is known by, however a line or a link spells it.

    Args:
        place: a path, or a URL.
        folder: of which a relative path is; by default that of this process.
    """
    return place.rstrip("/") if "://" in place else os.path.realpath(Path(folder, place))


def described(job: Job) -> str:
    """A job for people, with the folder whose script it runs, where that is said."""
    line = read(job)
    return f"job {job.number}, {job.state.lower()}: {job.name}{f' of {line.script.parent}' if line else ''}"
