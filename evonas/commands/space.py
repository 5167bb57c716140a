"""`evonas space CONFIG`."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import add_format, add_import, add_set, imported
from evonas.errors import UserError
from evonas.text import counted

if TYPE_CHECKING:
    from rich.table import Table

    from evonas.spaces.genes import Scalar

EXAMPLES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    add_format(parser)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas.terminal.tables import written

    imported(options.modules)
    people = options.format == "table"
    if not people:
        print(written(space_genes(options.config, options.overrides), options.format), end="")
    console = Console(highlight=False, stderr=not people)  # other formats have the standard output for themselves
    for part in describe_space(options.config, options.overrides):
        if people or isinstance(part, str):
            console.print(part, soft_wrap=isinstance(part, str))
    return 0


def describe_space(config_path: str, overrides: Sequence[str]) -> "Iterator[str | Table]":
    """The genes of a config's space, its size, what a search says of it, and a few random networks.

    Raises:
        UserError: the space does not take the task, as a search says it; the genes come before.
    """
    from rich.table import Table

    from evonas.config.loading import load_config
    from evonas.config.options import construct
    from evonas.config.recipe import in_words, recommended, with_recipe
    from evonas.seeding import stream
    from evonas.spaces import SPACES
    from evonas.tasks import TASKS

    config = load_config(config_path, overrides)
    space = construct(SPACES, config.space, "space")
    table = Table("gene", "values", title=f"space {config.space.kind}", title_justify="left")
    for row in space_genes(config_path, overrides):
        table.add_row(row["gene"], ", ".join(map(str, row["values"])))
    yield table
    yield f"{counted(len(space.genes), 'gene')}, {_about(space.size())} networks"
    made = construct(TASKS, config.task, "task")
    task = made.spec
    try:
        space.check_task(task)
    except ValueError as error:
        raise UserError(f"space: {error}") from None
    yield from space.task_notes(task)
    rng = stream(config.seed, "example")
    for genome in (space.sample(rng) for _ in range(EXAMPLES)):
        try:
            parameters = sum(p.numel() for p in space.build(space.decode(genome), task).parameters())
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UserError(f"{config.space.kind}.build fails for {space.describe(genome)}: {wrong}") from error
        yield f"{parameters:>9,} parameters: {_brief(space.describe(genome))}"
    if advised := recommended(config, with_recipe(config, made.recipe)):
        yield f"the config leaves to the task: training: {{{in_words(advised)}}}"


def space_genes(config_path: str, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Each gene of a config's space: gene, values."""
    from evonas.config.loading import load_config
    from evonas.config.options import construct
    from evonas.spaces import SPACES

    space = construct(SPACES, load_config(config_path, overrides).space, "space")
    return [{"gene": name, "values": list(leaf.values)} for name, leaf in space.leaves]


def _about(size: int) -> str:
    return f"{size:,}" if size < 10**9 else f"about {size:.1e}"


def _brief(genes: "Mapping[str, Scalar]") -> str:
    return ", ".join(f"{name}={value}" for name, value in genes.items())
