"""`evonas front RUN`."""

import argparse
import json

from evonas.commands.arguments import add_format, add_run, add_unneeded_import


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_unneeded_import(parser)
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help='e.g. "params<=20000"')
    add_format(parser)
    parser.add_argument("--plot", metavar="FILE", help="also draw it (png, svg, pdf, html)")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas import analysis
    from evonas.figures import plot_front
    from evonas.runs.run import Run
    from evonas.terminal.front import chosen_by, show_front
    from evonas.terminal.tables import written

    run = Run(options.run)
    front = analysis.where(run.front(), options.where)
    if options.plot:
        plot_front(run, front, options.plot)
    if options.format == "csv":
        print(written(chosen_by(run, front), "csv"), end="")
    elif options.format == "json":
        chosen = chosen_by(run, front)
        print(written(chosen.assign(arch=chosen["arch"].map(json.loads)), "json"), end="")
    else:
        show_front(run, front, Console(highlight=False), plot=False)
    return 0
