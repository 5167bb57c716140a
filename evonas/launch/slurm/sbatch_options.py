"""How many nodes a job of Slurm has and how long, as sbatch reads its options."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from evonas.errors import UserError
from evonas.launch.launch_files.fitting import MEMORY
from evonas.launch.slurm import sbatch_gpus, sbatch_words
from evonas.launch.slurm.sbatch_refused import check_options

_UNCOUNTED = ("ntasks", "nodelist", "nodefile")
"""Options that can change how many nodes there are, beside --nodes."""
_NUMBERS = ("ntasks", "ntasks-per-node", "cpus-per-task", "cpus-per-gpu")
_NUMBER = re.compile(r"0*[1-9]\d*")
_SIZES = ("mem", "mem-per-cpu", "mem-per-gpu")
_SIZE = re.compile(r"(\d+)([KMGT]?)B?", re.IGNORECASE)
_NODES = re.compile(r"(?:(\d+)([km]?)-)?(\d+)([km]?)(?::\d+)?", re.IGNORECASE)
_ENDS = ((1, 2), (3, 4))
"""Where a range has its number and its unit, the least and the most."""
_UNITS = {"": 1, "k": 2**10, "m": 2**20}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job asks for.

    Args:
        nodes: how many at most.
        hours: how long at most; None where nothing says it.
        notes: what is not counted, a line each.
        each: what a node has at most, as of `fitting.Kind`, as far as the options say it.
    """

    nodes: int
    hours: float | None
    notes: tuple[str, ...]
    each: Mapping[str, float]


def asked(script: str, words: Iterable[str], environment: Mapping[str, str]) -> Asked:
    """Reads the options.

    Args:
        script: of the job, with its lines `#SBATCH`.
        words: of the command line, which come before those of the environment, and those before the script's.
        environment: of sbatch.

    Raises:
        UserError: A value is not as sbatch takes it, or the job would be none of the search.
    """
    words, lines = sbatch_words.of_line(words), sbatch_words.of_script(script)
    found = {
        **sbatch_words.values(lines),
        **sbatch_words.of_environment(environment),
        **sbatch_words.values(words),
    }
    check_options(found, lines)
    _check_values(found)
    others = [f"--{name}={found[name]}" for name in _UNCOUNTED if name in found]
    notes = [f"{option} can change how many nodes come, which is not counted" for option in others]
    try:
        nodes = most_nodes(found.get("nodes", "1"))  # 0 is refused, too
    except ValueError:
        raise UserError(f"--nodes={found['nodes']}: sbatch takes a number, as 8, or a range, as 2-8") from None
    try:
        hours = most_hours(found.get("time", "0"))
    except ValueError:
        takes = "minutes, hours:minutes:seconds or days-hours, as 90, 1:30:00 and 1-12"
        raise UserError(f"--time={found['time']}: sbatch takes {takes}") from None
    again = [word for word in (*lines, *words) if word in ("--requeue", "--no-requeue")]
    if again[-1:] == ["--requeue"]:
        notes.append(
            "a job that Slurm queues again, as after a node that fails, has its time anew, which is not counted"
        )
    gpus, uncounted = sbatch_gpus.gpus_of_a_node(found, nodes, not found.get("nodes", "1").isdecimal())
    each = {**dict(_of_a_node(found)), **({} if gpus is None else {"GPU": gpus})}
    return Asked(nodes, hours, (*notes, *uncounted), each)


def _check_values(found: Mapping[str, str]) -> None:
    """UserError: sbatch would not take a number or a size of memory."""
    for names, form, takes in ((_NUMBERS, _NUMBER, "a number, as 4"), (_SIZES, _SIZE, "MB, or a size as 16G")):
        if wrong := next((name for name in names if name in found and not form.fullmatch(found[name])), None):
            raise UserError(f"--{wrong}={found[wrong]}: sbatch takes {takes}")


def most_nodes(text: str) -> int:
    """Of `8`, `2-8`, `1-15:4`, `1,5,7`, `1k`.

    Raises:
        ValueError: It is none of these.
    """
    counts = []
    for part in text.split(","):
        if not (found := _NODES.fullmatch(part.strip())):
            raise ValueError(text)
        least, most = (int(found[number] or 0) * _UNITS[(found[unit] or "").lower()] for number, unit in _ENDS)
        if most < max(least, 1):
            raise ValueError(text)
        counts.append(most)
    return max(counts)


def most_hours(text: str) -> float | None:
    """Of `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes` and
    `days-hours:minutes:seconds`; None of what is no limit.

    Raises:
        ValueError: It is none of these.
    """
    if text.strip().lower() in ("infinite", "unlimited"):
        return None
    days, dash, rest = text.strip().rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if len(parts) > 3:
        raise ValueError(text)
    shape = parts if dash or len(parts) == 3 else [0, *parts]
    hours, minutes, seconds = [*shape, 0, 0][:3]
    return ((int(days) * 24 if dash else 0) + hours + minutes / 60 + seconds / 3600) or None


def _of_a_node(found: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """What Ray has on a node: the cores of its one task, and its memory in MB; 0 of --mem is all of it."""
    cores = found.get("cpus-per-task", "")
    if cores.isdecimal():
        yield "CPU", float(cores)
    per_core = _mb(found.get("mem-per-cpu", "0")) * (float(cores) if cores.isdecimal() else 0)
    if memory := _mb(found.get("mem", "0")) or per_core:
        yield MEMORY, memory


def _mb(text: str) -> float:
    """MB of 10^6 bytes in Slurm's `4000`, `4000M`, `4G`, which are of 2^20; 0 of what is none of these."""
    parts = _SIZE.fullmatch(text)
    return int(parts[1]) * 1024.0 ** ("KMGT".index(parts[2].upper() or "M") + 1) / 10**6 if parts else 0.0
