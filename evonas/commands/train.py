"""`evonas train RUN [CANDIDATE...]`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import add_import, add_take_over, imported, printable
from evonas.signals import status_of, terminate_soon

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from evonas.final.train import FinalSearch

HALTED = FRUITLESS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="how: epochs, trials, reduction, seeds, fit_on, average, distill, temperature, processes, attempts, "
        "checkpoint_s; where: runtime.KEY, task.KEY",
    )
    add_take_over(parser)
    add_import(parser)


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Which networks of a run are meant."""
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("candidates", type=int, nargs="*", metavar="CANDIDATE", help="by number; default: the front")
    text = "so many of the front: the most accurate, the knee, the smallest (as p(front) sees them), then others"
    parser.add_argument("--pick", type=int, metavar="N", help=text)
    text = 'only those of the front that meet it, e.g. "latency_ms[cpu]<=5"'
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help=text)


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas.errors import Halted
    from evonas.final.screen import watching
    from evonas.final.train import execute

    modules = imported(options.modules)
    search = prepared(options, modules)
    told = f"interrupted; what was trained is kept. To go on: {options.line}"
    signal_on_terminate(told)
    console = Console(highlight=False)
    for line in search.in_words():
        print(printable(line))
    try:
        if search.open:
            with watching(console) as watch:
                found = execute(search, watch, take_over=options.take_over)
        else:
            found = execute(search)
            print("nothing is left to do")
    except KeyboardInterrupt as stop:
        print(told, flush=True)
        return status_of(stop)
    except Halted as reason:
        print(f"evonas: stopped: {printable(reason)}. To go on: {options.line}", file=sys.stderr)
        return HALTED
    show_final(search.run.folder, found, console)
    if (found["status"] == "failed").all():
        print(f"evonas: no network could be trained: {printable(found['message'].iloc[0])}", file=sys.stderr)
        return FRUITLESS
    return 0


def signal_on_terminate(text: str) -> None:
    """SIGTERM ends with a text that says how to go on."""
    import signal

    signal.signal(signal.SIGTERM, partial(terminate_soon, lambda: text))


def prepared(options: argparse.Namespace, modules: Sequence[Any] = ()) -> "FinalSearch":
    """The trainings that a command line asks for, checked.

    Raises:
        UserError: it asks for what there is not.
    """
    from evonas.final.choosing import chosen
    from evonas.final.options import final_options
    from evonas.final.train import prepare_final
    from evonas.runs.run import Run

    run = Run(options.run)
    rows = chosen(run, options.candidates, options.pick, options.where)
    final, runtime, data = final_options(run, options.overrides)
    return prepare_final(run, rows, final, runtime, run.task(data), modules=modules)


def show_final(folder: object, found: "pd.DataFrame", console: "Console") -> None:
    """The finished networks as a table, with what its figures are."""
    from rich.markup import escape

    from evonas.analysis import main_metric
    from evonas.final.table import final_table, remarks
    from evonas.runs.run import Run
    from evonas.terminal.tables import fitting_table
    from evonas.text import counted

    able = found[found["status"] == "ok"]
    for row in found[found["status"] != "ok"].to_dict("records"):
        console.print(f"candidate {row['candidate']} failed: {escape(str(row['message']))}", soft_wrap=True)
    if able.empty:
        return
    run = Run(folder)  # type: ignore[arg-type]
    metric, _ = main_metric(run.description)
    title = f"trained to the end: {counted(len(able), 'network')}; search, valid and test are {metric}"
    table = final_table(run, able)
    last = [name for name in table if str(name).startswith("95 % of ")]  # what is left out first where it is narrow
    console.print(fitting_table(table, title, console, [], spare=[*map(str, last), "seeds", "valid", "95 %"]))
    for text in remarks(run, able):
        console.print(escape(text), soft_wrap=True)
