"""`evonas log RUN [CANDIDATE]`."""

import argparse
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evonas.commands.arguments import add_run, add_unneeded_import, printable

if TYPE_CHECKING:
    from evonas.runs.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_unneeded_import(parser)
    text = "its number; without one: the failures, those that are alike together, and which candidates have a log"
    parser.add_argument("candidate", metavar="CANDIDATE", type=int, nargs="?", help=text)


def run(options: argparse.Namespace) -> int:
    from evonas.runs.run import Run

    run = Run(options.run)
    for line in _all(run) if options.candidate is None else _one(run, options.candidate):
        print(line)
    return 0


def _one(run: "Run", candidate: int) -> Iterator[str]:
    text = run.log(candidate)
    row = run.evaluations[run.evaluations["candidate"] == candidate]
    status, message = ("unfinished", "") if row.empty else row[["status", "message"]].iloc[0]
    yield f"candidate {candidate}: {printable(': '.join(filter(None, [status, message])))}"
    yield f"\n{text}" if text else "it has no log: it printed nothing, and no exception ended it"


def _all(run: "Run") -> Iterator[str]:
    from evonas.runs.logs import groups, logged, ranges

    command, known, count = f"evonas log {shlex.quote(str(run.folder))}", logged(run.folder), len(run.evaluations)
    rows = groups(run.folder, run.evaluations)
    failed = sum(row["count"] for row in rows if row["status"].startswith("failed:"))
    yield f"{failed:,} of {count:,} candidates failed, {len(known):,} have a log"
    for row in rows:
        one = f" ({command} {row['candidate']})" if row["candidate"] in known else ""
        yield printable(f"{row['count']:,} x {row['status']}: {row['first_line']}{one}")
    if known:
        yield f"with a log: {ranges(known)}"
