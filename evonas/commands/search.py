"""`evonas search CONFIG`."""

import argparse
import signal
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from evonas.commands import tracebacks
from evonas.commands.arguments import add_import, add_set, add_take_over, imported, printable
from evonas.errors import Halted
from evonas.signals import status_of, terminate_soon
from evonas.text import counted

if TYPE_CHECKING:
    from evonas.runs.run import Run
    from evonas.start import PreparedSearch

HALTED = FRUITLESS = 1
"""Exit statuses of a search that had to stop before its end, and of one whose candidates all failed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    parser.add_argument("--run", metavar="DIR", help="run folder or s3://... (default: runs/NAME-FINGERPRINT)")
    text = "check all, try one random network, say how many candidates the budget holds, and stop; nothing is recorded"
    parser.add_argument("--dry-run", action="store_true", help=text)
    text = "an earlier run of the same space, data and training: its evaluations are re-used, none is done twice"
    parser.add_argument("--from", metavar="RUN", dest="from_run", help=text)
    text = (
        "architectures to evaluate first, as founders of the config: a JSON, YAML or Parquet file, or a run (its front)"
    )
    parser.add_argument("--founders", metavar="FILE|RUN", help=text)
    add_take_over(parser)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.start import prepare

    modules = imported(options.modules)
    try:
        prepared = prepare(
            options.config,
            overrides=options.overrides,
            run=options.run,
            modules=modules,
            from_run=options.from_run,
            founders=options.founders,
        )
    except KeyboardInterrupt as stop:
        print(f"interrupted before the search began. To begin again: {options.line}", flush=True)
        return status_of(stop)
    if options.dry_run:
        from evonas.doctor import dry_run

        for line in (*(f"note: {note}" for note in prepared.notes), *dry_run(prepared.components)):
            print(line)
        return 0
    return run_prepared(prepared, options)


def run_prepared(prepared: "PreparedSearch", options: argparse.Namespace) -> int:
    """Run a search on the terminal; its exit status."""
    from rich.console import Console

    from evonas.runs.empty_front import only_failures, why_empty
    from evonas.runs.going_on import going_on
    from evonas.runs.run import Run
    from evonas.start import ended_before, execute, note_moved_data
    from evonas.store import is_run
    from evonas.terminal.front import show_front
    from evonas.terminal.watching import watching

    console = Console(highlight=False)
    folder = prepared.folder

    def interrupted() -> str:
        if not is_run(folder):
            return f"interrupted before anything was recorded. To begin again: {options.line}"
        return f"interrupted; nothing evaluated is lost. To go on: {options.line}\nrun: {folder}"

    signal.signal(signal.SIGTERM, partial(terminate_soon, interrupted))
    if prepared.data:
        print(f"data: {printable(prepared.data)}")
    for note in prepared.notes:
        print(f"note: {printable(note)}")
    try:
        if ended := ended_before(prepared):
            note_moved_data(prepared, ended, take_over=options.take_over)
            print("nothing is left to do")
        else:
            with watching(console) as watch:
                ended = execute(prepared, watch=watch, take_over=options.take_over)
    except KeyboardInterrupt as stop:
        print(interrupted(), flush=True)
        return status_of(stop)
    except Halted as reason:
        tracebacks.show(reason)
        how = f"; {tracebacks.DEBUG}=1 before it shows the traceback" if reason.__cause__ else ""
        line = going_on(options.line, folder, prepared.components.config.budget)
        print(f"evonas: stopped: {printable(reason)}. To go on: {line}{how}\nrun: {folder}", file=sys.stderr)
        return HALTED
    run = Run(folder)
    print("; ".join(filter(None, (ended, outcomes(run), run.money.text))))
    if only_failures(run.evaluations):
        why = why_empty(run.evaluations, run.front(), folder)
        print(f"run: {folder}", flush=True)
        print(f"evonas: {printable(why)}", file=sys.stderr)
        return FRUITLESS
    show_front(run, run.front(), console, plot=console.is_terminal)
    for line in _mismatches(run):
        print(line)
    print(f"run: {folder}")
    return 0


def outcomes(run: "Run") -> str:
    """How many candidates were evaluated, and how."""
    from evonas.objectives.promotion import went_on

    counts = run.evaluations["status"].value_counts()
    untrained = int(((run.evaluations["status"] == "stopped") & (run.evaluations["epochs"] == 0)).sum())
    gone = len(went_on(zip(run.evaluations["operator"], run.evaluations["parents"], strict=True)))
    paused = f", {gone:,} of them went on as candidates of their own" if gone else ""
    before = {"stopped": (f", {untrained:,} of them before training" if untrained else "") + paused}
    each = ", ".join(f"{n:,} {status}{before.get(str(status), '')}" for status, n in counts.items())
    reused = int(run.evaluations["conditions"].map(lambda conditions: "from" in conditions).sum())
    evaluated = f"{counted(len(run.evaluations), 'candidate')} evaluated{f' ({each})' if each else ''}"
    evaluated += f", {reused:,} of them by {run.description['from']['run']}" if reused else ""
    open_ = 0 if run.state == "running" else len(run.unfinished)
    taken_up = ", which a larger budget takes up" if run.state.startswith("finished") else ""
    return f"{evaluated}, {open_:,} unfinished{taken_up}" if open_ else evaluated


def _mismatches(run: "Run") -> Iterator[str]:
    """How well the tables of a run told what its front takes."""
    failed = run.measured[run.measured["message"] != ""]
    if len(failed):
        which = f"{counted(len(failed), 'network')} of the front"
        yield f"{which} could not be measured: {printable(failed['message'].iloc[0])}"
    for row in run.mismatch().to_dict("records"):
        yield (
            f"table against measurement on {row['target']}: mean error {100 * row['mean_error']:.1f} %, "
            f"Kendall tau {row['kendall_tau']:.2f}, {counted(row['networks'], 'network')} of the front"
        )
