"""`evonas supernet CONFIG`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from evonas.commands.arguments import add_import, add_set, imported
from evonas.errors import UserError
from evonas.signals import status_of, terminate_soon

if TYPE_CHECKING:
    from evonas.supernet.file import Supernet

SAMPLINGS = ("sandwich", "fair", "uniform")
FEWEST, MOST = 5, 1_000
"""Networks of an audit: of four or fewer Kendall's tau has no interval, and each is a training."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    text = "default: training.supernet of the config, or supernet.safetensors"
    parser.add_argument("--out", metavar="FILE", help=text)
    text = "passes over the training examples; default: five times training.epochs"
    parser.add_argument("--epochs", type=int, metavar="N", help=text)
    text = (
        "networks of a step: sandwich, the largest, the smallest and two random ones; fair, each value of each "
        "unordered gene in one of them; uniform, a random one; default: sandwich where most genes are ordered, else "
        "fair"
    )
    parser.add_argument("--sampling", choices=SAMPLINGS, help=text)
    text = "networks that are trained alone, 5 to 1,000, to say what the supernet is worth; 0: none; default: 20"
    parser.add_argument("--audit", type=int, default=20, metavar="N", help=text)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    imported(options.modules)
    if options.epochs is not None and options.epochs < 1:
        raise UserError(f"--epochs: takes 1 or more, not {options.epochs}")
    if options.audit and not FEWEST <= options.audit <= MOST:
        why = "fewer say nothing of ranks" if options.audit < FEWEST else "each is a training"
        raise UserError(f"--audit: takes {FEWEST} to {MOST:,} networks, for {why}, or 0: none; not {options.audit:,}")
    return make_supernet(
        options.config, options.overrides, options.out, options.epochs, options.sampling, options.audit
    )


def make_supernet(
    config_path: str, overrides: Sequence[str], out: str | None, epochs: int | None, sampling: str | None, audit: int
) -> int:
    """Train the networks of a config's space with shared weights, and write these to a file; the exit status.

    Raises:
        UserError: the config is wrong, the path is taken, or nothing of the space can be trained.
    """
    from evonas.components import check_given
    from evonas.config.loading import load_config
    from evonas.config.options import construct
    from evonas.paths import expanded
    from evonas.spaces import SPACES
    from evonas.supernet.making import Wanted, make
    from evonas.tasks import TASKS

    config = load_config(config_path, overrides)
    space, task = construct(SPACES, config.space, "space"), construct(TASKS, config.task, "task")
    check_given(space, task)
    path = expanded(out or config.training.supernet or "supernet.safetensors", "--out")
    wanted = Wanted(epochs, sampling, audit)  # type: ignore[arg-type]  # one of SAMPLINGS
    kept: list[Supernet] = []

    def told() -> str:
        if kept:
            return f"interrupted; the whole supernet is in {path}: {kept[-1].in_words()}"
        return "interrupted; nothing of it is kept" + (f", and {path} is as it was" if path.exists() else "")

    signal.signal(signal.SIGTERM, partial(terminate_soon, told))
    try:
        made = make(
            config, space, task, path, wanted, lambda line: print(line, file=sys.stderr, flush=True), kept.append
        )
    except KeyboardInterrupt as stop:
        print(told(), flush=True)
        return status_of(stop)
    print(f"{path}: {made.in_words()}")
    return 0
