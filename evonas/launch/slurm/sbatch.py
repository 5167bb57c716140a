"""Jobs that are given to Slurm."""

from evonas.errors import UserError
from evonas.launch import programs
from evonas.text import one_line

_SAYS = ("sbatch: error: ", "sbatch: ")
_HELP = "Try "


def submit(words: list[str]) -> tuple[str, str]:
    """Submits a job.

    Args:
        words: of the line, with `--parsable`.

    Returns:
        Its number, and the name of its Slurm cluster; empty where sbatch does not say it, as of the one that is here.

    Raises:
        UserError: sbatch does not take it.
    """
    code, said, errors = programs.unseen(*words)
    if code:
        raise UserError(f"sbatch does not take the job: {_why(errors) or f'it ended with status {code}'}")
    number, _, cluster = (said.splitlines() or [""])[-1].partition(";")  # a site's own sbatch may greet before
    if not number.isdecimal():
        raise UserError(
            f"sbatch says no number of a job, but {one_line(said)!r}: squeue --me has it, if there is one, and the "
            f"same line goes on with it"
        )
    return number, cluster


def _why(errors: list[str]) -> str:
    lines = [line for line in errors if line and not line.startswith(_HELP)]
    for start in _SAYS:
        lines = [line.removeprefix(start) for line in lines]
    return one_line("; ".join(lines))
