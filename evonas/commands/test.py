"""`evonas test RUN [CANDIDATE...]`, or `--file`."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import add_format, add_import, imported, printable
from evonas.commands.train import add_choice
from evonas.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    text = "an exported file instead, by the runtime that it is for; may be given several times"
    parser.add_argument("--file", action="append", default=[], metavar="FILE", dest="files", help=text)
    text = "task.KEY=VALUE, where the data are somewhere else now"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=text)
    add_format(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.final.choosing import chosen
    from evonas.final.testing import look_at_files, look_at_networks
    from evonas.runs.run import Run
    from evonas.terminal.tables import written

    imported(options.modules)
    run = Run(options.run)
    if options.files and (options.candidates or options.pick is not None or options.where):
        raise UserError("give --file, or networks of the run")
    before = len(run.tests) + int(run.final["seeds"].sum())
    if options.files:
        found = look_at_files(run, options.files, run.task(options.overrides))
    else:
        rows = chosen(run, options.candidates, options.pick, options.where)
        found = look_at_networks(run, [int(number) for number in rows["candidate"]], run.task(options.overrides))
    if options.format != "table":
        print(written(found, options.format), end="")
        return 0
    show(found, before)
    return 0


def show(found: "pd.DataFrame", before: int) -> None:
    """A line a network, and what a look at the test examples means."""
    for row in found.to_dict("records"):
        which = printable(row["weights"]) if row["candidate"] < 0 else f"candidate {row['candidate']}"
        how = "" if row["candidate"] < 0 else f", weights of {'the search' if row['weights'] == 'search' else 'train'}"
        names = [str(name)[5:-1] for name in row if str(name).startswith("test[")]
        figures = [_figure(row, name) for name in names]
        print(f"{which}{how}: test {', '.join(figures)}, of {row['examples']:,} examples")
    looks = "this look is" if len(found) == 1 else f"these {len(found)} looks are"
    print(f"{looks} recorded; {before} at these test examples were recorded before, those of evonas train among them")


def _figure(row: Mapping[Any, Any], name: str) -> str:
    low, high = row[f"test_low[{name}]"], row[f"test_high[{name}]"]
    return f"{name} {row[f'test[{name}]']:.4g} (95 % {low:.2g}–{high:.2g})"  # noqa: RUF001  # a range
