"""How many nodes a job of Slurm has and how long, as sbatch reads its options."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from evonas.errors import UserError
from evonas.launch.launch_files.fitting import MEMORY
from evonas.launch.slurm import sbatch_gpus

_SHORT = {
    "N": "nodes",
    "t": "time",
    "n": "ntasks",
    "w": "nodelist",
    "F": "nodefile",
    "a": "array",
    "M": "clusters",
    "c": "cpus-per-task",
    "G": "gpus",
}
_READ = (*_SHORT.values(), *sbatch_gpus.OPTIONS, "ntasks-per-node", "mem", "mem-per-cpu")
_VARIABLES = {"SBATCH_TIMELIMIT": "time", "SBATCH_MEM_PER_NODE": "mem", **sbatch_gpus.VARIABLES}
"""Of sbatch's environment -> the option in whose place they are."""
_UNCOUNTED = ("ntasks", "nodelist", "nodefile")
"""Options that can change how many nodes there are, beside --nodes."""
_OTHER = {
    "wrap": "another command would run in the place of the search",
    "test-only": "no job would come",
    "help": "no job would come",
    "usage": "no job would come",
    "version": "no job would come",
    "wait": "sbatch would say the job's number when it has ended; `up` itself waits for the job",
}
"""Options with which sbatch does something else than submit the script. Those of one letter are below."""
_LETTERS = {"h": "help", "V": "version", "W": "wait"}
_BARE = (
    *("requeue", "no-requeue", "exclusive", "hold", "overcommit", "oversubscribe", "contiguous", "parsable", "quiet"),
    *("verbose", "spread-job", "use-min-nodes", "reboot", "ignore-pbs", "no-kill", "nice", "immediate", "stepmgr"),
    *("get-user-env", "propagate", "H", "O", "s", "Q", "v", "k", "I"),
)
"""Options behind which the next word is not their value."""
_REST = """
account acctg-freq batch bb bbf begin bell burst-buffer chdir cluster-constraint comment constraint container
container-id core-spec cores-per-socket cpu-freq cpus-per-gpu deadline delay-boot dependency distribution error
exclude export export-file extra extra-node-info gid gpu-bind gpu-freq gpus-per-socket gres-flags hint input job-name
kill-on-invalid-dep licenses mail-type mail-user mcs-label mem-bind mem-per-gpu mincpus network no-bell
ntasks-per-core ntasks-per-gpu ntasks-per-socket open-mode output partition power prefer priority profile qos
reservation resv-ports segment share signal sockets-per-node switches thread-spec threads-per-core time-min tmp
tres-bind tres-per-task uid wait-all-nodes wckey
"""
"""The other options of sbatch (Slurm 24.11), of which a shortened one may be short, too."""
_LONG = {*_READ, *_OTHER, *(name for name in _BARE if len(name) > 1), *_REST.split()}
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
        UserError: The nodes or the time are not as sbatch takes them, or the job would be another cluster's.
    """
    words, lines = [_in_full(word) for word in words], [_in_full(word) for word in _of_script(script)]
    _check_words(words)
    said = {name: environment[variable] for variable, name in _VARIABLES.items() if environment.get(variable)}
    found = {**_found(lines), **said, **_found(words)}
    if tasks := found.get("array") or environment.get("SBATCH_ARRAY_INX"):
        raise UserError(f"--array={tasks}: each of its jobs would write the one run folder: leave it out")
    others = [f"--{name}={found[name]}" for name in _UNCOUNTED if name in found]
    if cluster := found.get("clusters") or environment.get("SBATCH_CLUSTERS"):
        raise UserError(
            f"--clusters={cluster}: the job would not be in the queue that is looked at: leave it out, on a machine of "
            f"that cluster, or export SLURM_CLUSTERS={cluster}, which squeue and scancel read too"
        )
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


def _in_full(word: str) -> str:
    """A word whose option is shortened, as sbatch takes it (`--arr=0-3`), with its whole name.

    Raises:
        UserError: It is short for several.
    """
    name, equals, value = word[2:].partition("=")
    meant = sorted(long for long in _LONG if long.startswith(name))
    if not word.startswith("--") or not name or name in _LONG or not meant:
        return word
    if len(meant) > 1:
        raise UserError(f"--sbatch={word}: is short for --{' and --'.join(meant)}: write out the one that is meant")
    return f"--{meant[0]}{equals}{value}"


def _check_words(words: Iterable[str]) -> None:
    """UserError: sbatch would take a word for the script to submit, or submit no job of it."""
    takes = False
    for word in words:
        name = word[2:].partition("=")[0] if word.startswith("--") else _LETTERS.get(word[1:2], word[1:2])
        if not word.startswith("-") or not name:
            if not takes:
                raise UserError(f"--sbatch={word}: sbatch takes it for the script: options are as --partition=gpu")
            takes = False
            continue
        if name in _OTHER:
            raise UserError(f"--sbatch={word}: {_OTHER[name]}: leave it out")
        whole = "=" in word if word.startswith("--") else len(word) > 2
        takes = not whole and name not in _BARE


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
    parts = re.fullmatch(r"(\d+)([KMGT]?)", text, re.IGNORECASE)
    return int(parts[1]) * 1024.0 ** ("KMGT".index(parts[2].upper() or "M") + 1) / 10**6 if parts else 0.0


def _of_script(script: str) -> list[str]:
    lines = re.findall(r"^#SBATCH[ \t]+(.+)$", script, re.MULTILINE)
    return [word for line in lines for word in shlex.split(re.sub("['\"]", "", line), comments=True)]


def _found(words: Iterable[str]) -> dict[str, str]:
    """Name -> value of those that matter here; the last of a kind counts."""
    found, rest = dict[str, str](), iter(words)
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _READ:
                found[name] = value if equals else next(rest, "")
        elif word.startswith("-") and word[1:2] in _SHORT:
            found[_SHORT[word[1]]] = word[2:].strip() or next(rest, "")
    return found
