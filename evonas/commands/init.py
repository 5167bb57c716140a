"""`evonas init PATH`."""

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evonas.commands.arguments import printable
from evonas.commands.guess import in_a_line
from evonas.commands.guesses import guessed
from evonas.errors import UserError

if TYPE_CHECKING:
    from evonas.records import Inputs
    from evonas.tasks import Task

SPACES = {
    "mobile": "{kind: mobile, stages: 3, widths: [8, 16, 24, 32], depths: [0, 1, 2]}",
    "mlp": "{kind: mlp, layers: [1, 3], widths: [8, 16, 32, 64]}",
    "tcn": "{kind: tcn, widths: [16, 32, 64], layers: [1, 4]}",
    "unet": "{kind: unet, levels: [1, 3], widths: [4, 8, 16]}",
    "two_tower": "{kind: two_tower, embeddings: [8, 16, 32, 64], layers: [0, 2], widths: [16, 32, 64]}",
}
"""Networks to search."""
SPACE_OF = {"segmentation": "unet", "recommendation": "two_tower"}
"""Kind of a task -> the space for it."""
SPACE_FOR = {1: "mlp", 2: "tcn", 3: "mobile"}
"""Axes of an example of floating-point numbers -> the space for it."""
RATES = {
    "mobile": "learning_rate: 0.1",
    "mlp": "learning_rate: 0.02",
    "tcn": "optimizer: adamw, learning_rate: 0.01",
    "unet": "optimizer: adamw, learning_rate: 0.005",
    "two_tower": "optimizer: adamw, learning_rate: 0.01, weight_decay: 0.01",
}
"""How the networks of a space are trained at first."""
CONFIG = """\
# Made by `evonas init`. It runs as it is:  evonas search {file}
# Every key: configs/custom.yaml of evonas, and docs/reference/config.md, once `make docs` has made it; the options of
# a kind: python -c "from evonas.tasks import TASKS; help(TASKS['{kind}'])", likewise evonas.spaces.SPACES
# Found: {found}
{decisions}seed: 0
task: {task}
# The networks to search: mobile and cell take pictures, mlp numbers and tables, tcn and conv1d text and series,
# transformer all of these, unet masks, two_tower recommendation; your own is a class.
space: {space}
# Two goals or more; the search finds the best trade-offs between them. With a target, what a device takes can be one:
#   - {{metric: latency_ms, target: cpu}}
objectives:
  - {{metric: {metric}}}
  - {{metric: params}}
# targets:
#   cpu: {{backend: torch, device: cpu, threads: 1, batch: 1}}
# Networks over a limit are never trained:
# limits:
#   - {{metric: params, at_most: 100_000}}
strategy: {{kind: nsga2, population: 16}}
# A candidate trains for so many epochs; at a rung it stops where too many others are better in every objective.
training: {{epochs: 8, batch_size: {batch}, {rate}rungs: [2], promote: 0.5}}
# How many networks are tried. The same line with more of them goes on.
budget: {{evaluations: 64}}
# A worker a core; {{kind: serial}} is one process, for a debugger.
runtime: {{kind: ray, workers: auto}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "pictures, WAV or .txt files in class folders, .npz, a folder of .npy, CSV, Parquet, .txt; or digits to try"
    parser.add_argument("data", metavar="PATH", help=text)
    parser.add_argument("--out", default="config.yaml", metavar="FILE", help="default: config.yaml")


def run(options: argparse.Namespace) -> int:
    for line in init(options.data, options.out):
        print(printable(line))
    return 0


def init(data: str, out: str = "config.yaml") -> Iterator[str]:
    """Write a config for data as they lie there, which is tried by loading them.

    Args:
        data: a file or folder, which the config names as it is given here, or "digits".
        out: the file to write.

    Yields:
        Lines: what was found, and what to do next.

    Raises:
        UserError: nothing is there that evonas reads, it cannot be read, or `out` exists.
    """
    from evonas.config import PartConfig
    from evonas.config.options import construct
    from evonas.tasks import TASKS
    from evonas.tasks.data_record.describing import data_record
    from evonas.tasks.data_record.words import in_words

    if Path(out).exists():
        raise UserError(f"--out {out}: it exists; give another name, or remove it")
    section, decisions = guessed(data)
    task = construct(TASKS, PartConfig.model_validate(section), "task")
    found = in_words(data_record(task))
    yield f"{section['kind']}: {found}"
    yield from decisions
    yield from (f"note: {note}" for note in task.notes)
    own = SPACE_OF.get(section["kind"])
    space, note = (own, "") if own else _space_for(task.spec.input)
    if note:
        yield f"note: {note}"
    text = CONFIG.format(
        file=printable(shlex.quote(out)),
        found=printable(found),
        decisions="".join(f"# {printable(decision)}\n" for decision in decisions),
        task=in_a_line(section),
        kind=section["kind"],
        space=SPACES[space],
        metric=task.spec.metric,
        batch=_batch(task),
        rate="" if task.recipe else f"{RATES[space]}, ",
    )
    try:
        with open(out, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None
    yield f"wrote {out}; to search: evonas search {shlex.quote(out)}"


def _space_for(inputs: "Inputs") -> tuple[str, str]:
    """The space for the inputs of a task, and a note; rows of a table with categories are several inputs."""
    from evonas.records import InputSpec

    if not isinstance(inputs, InputSpec):
        return "mlp", ""
    axes = len(inputs.shape)
    if inputs.is_integer or axes in SPACE_FOR:
        return "tcn" if inputs.is_integer else SPACE_FOR[axes], ""
    return "mlp", f"no space of evonas takes inputs of {axes} axes: the config names mlp, which flattens them"


def _batch(task: "Task") -> int:
    """So large that an epoch has some steps."""
    return max(8, min(64, len(task.splits.train) // 16))
