"""`evonas supernet CONFIG`."""

import argparse
import sys
from collections.abc import Sequence

from evonas.commands.arguments import add_import, add_set, imported
from evonas.errors import UserError

SAMPLINGS = ("sandwich", "fair", "uniform")


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
    text = "networks that are trained alone, to say what the supernet is worth; 0: none; default: 20"
    parser.add_argument("--audit", type=int, default=20, metavar="N", help=text)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    imported(options.modules)
    for name, least in (("epochs", 1), ("audit", 0)):
        given = getattr(options, name)
        if given is not None and given < least:
            raise UserError(f"--{name}: takes {least} or more, not {given}")
    make_supernet(options.config, options.overrides, options.out, options.epochs, options.sampling, options.audit)
    return 0


def make_supernet(
    config_path: str, overrides: Sequence[str], out: str | None, epochs: int | None, sampling: str | None, audit: int
) -> None:
    """Train the networks of a config's space with shared weights, and write these to a file.

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
    made = make(config, space, task, path, wanted, lambda line: print(line, file=sys.stderr, flush=True))
    print(f"{path}: {made.in_words()}")
