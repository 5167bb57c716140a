"""What Slurm says of itself and of where a job writes; empty where there is no scontrol, or it does not answer."""

import re
from collections.abc import Iterable

from evonas.launch import programs


def cluster() -> str:
    """The name of the Slurm cluster that is here."""
    return _said(r"^ClusterName\s*=\s*(\S+)", "show", "config")


def output(number: str, of: Iterable[str]) -> str:
    """The file with what a job prints, wherever options, the environment or the script send it.

    Args:
        number: of the job.
        of: options of scontrol with which its Slurm cluster is asked.
    """
    path = _said(r"^\s*StdOut=(.+)$", *of, "show", "job", number)
    for sign in ("%j", "%A"):  # older ones show the pattern
        path = path.replace(sign, number)
    return path


def _said(pattern: str, *words: str) -> str:
    if not programs.find("scontrol"):
        return ""
    code, said = programs.ask("scontrol", *words)
    found = None if code else re.search(pattern, said, re.MULTILINE)
    return found[1].strip() if found else ""
