"""`evonas audit RUN`."""

import argparse
import json
import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import add_format, add_import, add_run, add_take_over, imported, printable

if TYPE_CHECKING:
    from evonas.audit import Audit
    from evonas.runs.run import Run

BESIDE = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    text = "run the random search that RUN is compared with, or go on with it (default: RUN-random)"
    parser.add_argument("--baseline", nargs="?", const=BESIDE, metavar="DIR", help=text)
    add_format(parser)
    parser.add_argument("--out", metavar="PAGE", help="also write it as a page: a file that ends in .html or .md")
    add_take_over(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.audit import audited, write
    from evonas.audit.page import check_out
    from evonas.runs.run import Run

    modules = imported(options.modules)
    if options.out:
        check_out(options.out)
    run = Run(options.run)
    if options.baseline is not None and (status := _search(run, options, modules)):
        return status
    audit = audited(run, options.baseline or "")
    _show(audit, options.format)
    if options.out:
        path = write(audit, options.out)
        print(f"page: {path}", file=sys.stdout if options.format == "table" else sys.stderr)
    return 0


def _search(run: "Run", options: argparse.Namespace, modules: Any) -> int:
    """The random search, as far as it is not there; the exit status of a search. Other formats than a table have the
    standard output for themselves."""
    from evonas.audit.baseline import baseline_of, check_random, default_folder, is_done, prepare_baseline
    from evonas.commands.search import run_prepared

    check_random(run)
    folder = options.baseline or default_folder(run)
    if (known := baseline_of(run, folder)) and is_done(run, known):
        return 0
    prepared = prepare_baseline(run, folder, modules)
    with nullcontext() if options.format == "table" else redirect_stdout(sys.stderr):
        print(f"baseline: random search, {len(run.evaluations):,} evaluations, run {folder}", flush=True)
        return run_prepared(prepared, options)


def _show(audit: "Audit", form: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    from evonas.terminal.tables import frame_table, written

    if form == "csv":
        print(written(audit.figures.frame(), "csv"), end="")
        return
    if form == "json":
        figures = json.loads(written(audit.figures.frame(), "json"))
        print(json.dumps({"words": audit.words, "missing": audit.missing, "figures": figures}, indent=1))
        return
    console = Console(highlight=False)
    console.print(frame_table(audit.figures.table()))
    for line in audit.words:
        console.print(escape(printable(line)), soft_wrap=True)
    for line in audit.missing:
        console.print(f"missing: {escape(printable(line))}", soft_wrap=True)
