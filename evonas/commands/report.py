"""`evonas report RUN`."""

import argparse

from evonas.commands.arguments import add_run, add_unneeded_import
from evonas.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_unneeded_import(parser)
    parser.add_argument("--out", metavar="FILE", help="default: RUN/report.html; ./report.html where RUN is a URL")
    parser.add_argument("--watch", action="store_true", help="serve it on this machine while the search runs")
    parser.add_argument("--port", type=int, default=0, help="of --watch (default: any that is free)")


def run(options: argparse.Namespace) -> int:
    from evonas.report import serve, write
    from evonas.runs.run import Run

    if options.watch and options.out:
        raise UserError("--watch serves the page and writes none; leave out --out, or --watch")
    if options.port and not options.watch:
        raise UserError("--port is where --watch serves; add --watch")
    if options.watch:
        serve(options.run, options.port, lambda line: print(line, flush=True))
    path = write(Run(options.run), options.out)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0
