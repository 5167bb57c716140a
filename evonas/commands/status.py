"""`evonas status RUN`."""

import argparse
import csv
import json
import shlex
import sys

from evonas.commands.arguments import add_format, add_run, add_unneeded_import
from evonas.commands.search import outcomes
from evonas.text import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_unneeded_import(parser)
    add_format(parser)
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="as --format json")


def run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas.runs.run import Run
    from evonas.terminal.front import show_front

    run = Run(options.run)
    state = run.status()
    if options.format == "json":
        print(json.dumps(state, indent=2))
    elif options.format == "csv":
        row = {**{key: value for key, value in state.items() if not isinstance(value, dict)}, **state["statuses"]}
        csv.writer(sys.stdout, lineterminator="\n").writerows([row.keys(), row.values()])
    else:
        generations = counted(state["generations"], "generation")
        parts = (outcomes(run), f"front of {state['front']}", generations, run.money.text, state["state"])
        print("; ".join(filter(None, parts)))
        if any(status.startswith("failed:") for status in state["statuses"]):
            print(f"why candidates failed: evonas log {shlex.quote(str(run.folder))}")
        if state["front"]:
            show_front(run, run.front(), Console(highlight=False), plot=True)
    return 0
