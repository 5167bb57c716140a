"""Options of sbatch with which a job would be none of the search, or one that nobody sees or can end."""

import re
from collections.abc import Iterable, Mapping

from evonas.errors import UserError

_WHY = {
    "wrap": "another command would run in the place of the search",
    "test-only": "no job would come",
    "help": "no job would come",
    "usage": "no job would come",
    "version": "no job would come",
    "wait": "sbatch would say the job's number when it has ended; `up` itself waits for the job",
    "array": "each of its jobs would write the one run folder",
    "het-group": "the search is one job, of nodes that are alike",
    "uid": "the job would be another user's, whose queue is not looked at",
    "chdir": "relative paths would be of there; give this line from that folder",
    "error": "what goes wrong would not be shown; --output=FILE takes both",
    "export-file": "the job would lack your PATH and what EVONAS_... say; --export=ALL,NAME=VALUE adds to them",
}
_HET = ("hetjob", "packjob")
"""Lines `#SBATCH` between the parts of a job whose nodes differ."""
_TERM = re.compile(r"(B|BR|RB):(SIG)?(TERM|15)(@\d+)?", re.IGNORECASE)


def check_options(found: Mapping[str, str], lines: Iterable[str]) -> None:
    """Lets go on with a job that is the search, as its script means it, in the queue that is looked at.

    Args:
        found: option of sbatch -> its value, empty where it has none.
        lines: the words of the script's lines `#SBATCH`.

    Raises:
        UserError: It would be something else.
    """
    export, signal, cluster = found.get("export", "ALL"), found.get("signal"), found.get("clusters")
    for name, why in _WHY.items():
        if name in found:
            raise _refused(name, found[name], why)
    if part := next((word for word in lines if word in _HET), None):
        raise UserError(f"#SBATCH {part}: {_WHY['het-group']}: leave it out")
    if export.upper().partition(",")[0] != "ALL":
        raise _refused("export", export, _WHY["export-file"])
    if signal is not None and not _TERM.fullmatch(signal):
        why = "the search would not hear that its time ends; B:TERM@SECONDS says it, as the script does"
        raise _refused("signal", signal, why)
    if cluster is not None:
        raise UserError(
            f"--clusters={cluster}: the job would not be in the queue that is looked at: leave it out, on a machine of "
            f"that cluster, or export SLURM_CLUSTERS={cluster}, which squeue and scancel read too"
        )


def _refused(name: str, value: str, why: str) -> UserError:
    option = f"--{name}={value}" if value else f"--{name}"
    return UserError(f"{option}: {why}: leave it out")
