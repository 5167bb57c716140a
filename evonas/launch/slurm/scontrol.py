"""What Slurm says of itself and of where a job writes; empty where there is no scontrol, or it does not answer."""

import re

from evonas.launch import programs


def cluster() -> str:
    """The name of the Slurm cluster that is here."""
    return _said(r"^ClusterName\s*=\s*(\S+)", "show", "config")


def output(number: str) -> str:
    """The file with what a job prints, wherever options, the environment or the script send it."""
    path = _said(r"^\s*StdOut=(.+)$", "show", "job", number)
    for sign in ("%j", "%A"):  # older ones show the pattern
        path = path.replace(sign, number)
    return path


def _said(pattern: str, *words: str) -> str:
    if not programs.find("scontrol"):
        return ""
    code, said = programs.ask("scontrol", *words)
    found = None if code else re.search(pattern, said, re.MULTILINE)
    return found[1].strip() if found else ""
