"""The words of sbatch's line and of the lines `#SBATCH`, as options with their values."""

import re
import shlex
from collections.abc import Iterable, Mapping

from evonas.errors import UserError
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
    "e": "error",
    "D": "chdir",
    "h": "help",
    "V": "version",
    "W": "wait",
}
"""One letter -> option, of those that are read."""
_READ = {
    *_SHORT.values(),
    *sbatch_gpus.OPTIONS,
    *("ntasks-per-node", "cpus-per-gpu", "mem", "mem-per-cpu", "mem-per-gpu"),
    *("wrap", "test-only", "usage", "uid", "het-group", "export", "export-file", "signal"),
}
_VARIABLES = {
    "SBATCH_TIMELIMIT": "time",
    "SBATCH_MEM_PER_NODE": "mem",
    "SBATCH_ARRAY_INX": "array",
    **{
        f"SBATCH_{name.upper().replace('-', '_')}": name
        for name in ("clusters", "cpus-per-gpu", "error", "export", "mem-per-cpu", "mem-per-gpu", "signal", "wait")
    },
    **sbatch_gpus.VARIABLES,
}
"""Of sbatch's environment -> the option in whose place they are."""
_BARE = (
    *("requeue", "no-requeue", "exclusive", "hold", "overcommit", "oversubscribe", "contiguous", "parsable", "quiet"),
    *("verbose", "spread-job", "use-min-nodes", "reboot", "ignore-pbs", "no-kill", "nice", "immediate", "stepmgr"),
    *("get-user-env", "propagate", "test-only", "help", "usage", "version", "wait", "H", "O", "s", "Q", "v", "k", "I"),
)
"""Options behind which the next word is not their value."""
_REST = """
account acctg-freq batch bb bbf begin bell burst-buffer cluster-constraint comment constraint container
container-id core-spec cores-per-socket cpu-freq deadline delay-boot dependency distribution
exclude extra extra-node-info gid gpu-bind gpu-freq gpus-per-socket gres-flags hint input job-name
kill-on-invalid-dep licenses mail-type mail-user mcs-label mem-bind mincpus network no-bell
ntasks-per-core ntasks-per-gpu ntasks-per-socket open-mode output partition power prefer priority profile qos
reservation resv-ports segment share sockets-per-node switches thread-spec threads-per-core time-min tmp
tres-bind tres-per-task wait-all-nodes wckey
"""
"""The other options of sbatch (Slurm 24.11), of which a shortened one may be short, too."""
_LONG = {*_READ, *(name for name in _BARE if len(name) > 1), *_REST.split()}


def of_line(words: Iterable[str]) -> list[str]:
    """The words of a line, with the whole names of options that are shortened.

    Raises:
        UserError: One is short for several, or sbatch would take one for the script to submit.
    """
    whole = [_in_full(word) for word in words]
    _check_no_script(whole)
    return whole


def of_script(script: str) -> list[str]:
    """The same of its lines `#SBATCH`."""
    lines = re.findall(r"^#SBATCH[ \t]+(.+)$", script, re.MULTILINE)
    return [_in_full(word) for line in lines for word in shlex.split(re.sub("['\"]", "", line), comments=True)]


def of_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Option -> value, of sbatch's variables."""
    return {name: environment[variable] for variable, name in _VARIABLES.items() if environment.get(variable)}


def values(words: Iterable[str]) -> dict[str, str]:
    """Option -> value, empty where it takes none, of those that are read; the last of a kind counts."""
    found, rest = dict[str, str](), iter(words)
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
        elif word.startswith("-") and word[1:2] in _SHORT:
            name, equals, value = _SHORT[word[1]], word[2:].strip(), word[2:].strip()
        else:
            continue
        if name in _READ:
            found[name] = value if equals or name in _BARE else next(rest, "")
    return found


def _in_full(word: str) -> str:
    """A word whose option is shortened, as sbatch takes it (`--arr=0-3`), with its whole name."""
    name, equals, value = word[2:].partition("=")
    meant = sorted(long for long in _LONG if long.startswith(name))
    if not word.startswith("--") or not name or name in _LONG or not meant:
        return word
    if len(meant) > 1:
        raise UserError(f"--sbatch={word}: is short for --{' and --'.join(meant)}: write out the one that is meant")
    return f"--{meant[0]}{equals}{value}"


def _check_no_script(words: Iterable[str]) -> None:
    takes = False
    for word in words:
        letter = _SHORT.get(word[1:2], word[1:2])
        name = word[2:].partition("=")[0] if word.startswith("--") else letter
        if not word.startswith("-") or not name:
            if not takes:
                raise UserError(f"--sbatch={word}: sbatch takes it for the script: options are as --partition=gpu")
            takes = False
            continue
        whole = "=" in word if word.startswith("--") else len(word) > 2
        takes = not whole and name not in _BARE
