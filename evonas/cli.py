"""The command line. Each command imports what it needs when it runs, so that --help answers at once."""

import argparse
import csv
import importlib
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from evonas.interrupts import not_lost, status_of, terminate_soon
from evonas.records import Halted, UserError

if TYPE_CHECKING:
    from evonas.run import Run
    from evonas.start import Prepared

HALTED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 not as it should be, 2 wrong input, 130 or 143 interrupted."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(words, argparse.Namespace(line=shlex.join(["evonas", *words])))
    try:
        with not_lost():
            return int(options.command(options) or 0)
    except UserError as error:
        print(f"evonas: {_printable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        return status_of(stop)
    except (NotADirectoryError, PermissionError, FileNotFoundError) as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"evonas: {_printable(what)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a disk that is full, a store that is out of reach
        print(f"evonas: {_printable(error)}", file=sys.stderr)
        return HALTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"evonas: {_printable(message)}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="evonas", description="Find the neural networks with the best trade-off between accuracy and cost."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run_help = "run folder"

    def add(name: str, command: Callable[[Any], int | None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    search = add("search", _search, "run a search; the same line again resumes it")
    search.add_argument("config", metavar="CONFIG", help="YAML file")
    search.add_argument("--run", metavar="DIR", help="run folder or s3://... (default: runs/NAME-FINGERPRINT)")
    _add_take_over(search)
    _add_set(search)
    _add_import(search)

    resume = add("resume", _resume, "go on with a run as it was configured")
    resume.add_argument("run", metavar="RUN", help=run_help)
    _add_take_over(resume)
    _add_set(resume)
    _add_import(resume)

    status = add("status", _status, "how far a run is")
    status.add_argument("run", metavar="RUN", help=run_help)
    _add_format(status)
    status.add_argument("--json", action="store_const", const="json", dest="format", help="as --format json")

    verify = add("verify", _verify, "derive every genome, stop and survivor again from the record")
    verify.add_argument("run", metavar="RUN", help=run_help)
    _add_import(verify)

    front = add("front", _front, "the best trade-offs of a run")
    front.add_argument("run", metavar="RUN", help=run_help)
    front.add_argument("--where", action="append", default=[], metavar="CONDITION", help='e.g. "params<=20000"')
    _add_format(front)
    front.add_argument("--plot", metavar="FILE", help="also draw it (png, svg, pdf, html)")

    report = add("report", _report, "a run as one HTML page")
    report.add_argument("run", metavar="RUN", help=run_help)
    report.add_argument("--out", metavar="FILE", help="default: RUN/report.html; ./report.html where RUN is a URL")
    report.add_argument("--watch", action="store_true", help="serve it on this machine while the search runs")
    report.add_argument("--port", type=int, default=0, help="of --watch (default: any that is free)")

    space = add("space", _space, "the genes of a config's space, and some of its networks")
    space.add_argument("config", metavar="CONFIG")
    _add_format(space)
    _add_set(space)
    _add_import(space)

    measure = add("measure", _measure, "measure a candidate of a run on this machine")
    measure.add_argument("run", metavar="RUN", help=run_help)
    measure.add_argument("candidate", type=int, metavar="CANDIDATE")
    measure.add_argument("--target", metavar="T", help="default: every target of the run")
    _add_format(measure)
    _add_import(measure)

    export = add("export", _export, "write a network of the front as one file for torch.export.load")
    export.add_argument("run", metavar="RUN", help=run_help)
    export.add_argument("candidate", type=int, metavar="CANDIDATE")
    export.add_argument("--out", metavar="FILE", help="default: candidate-N.pt2")
    _add_import(export)

    server = add("measure-server", _measure_server, "measure networks on this machine for searches that run elsewhere")
    server.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1; 0.0.0.0: all)")
    server.add_argument("--port", type=int, default=7071, help="default: 7071; 0: any that is free")
    server.add_argument(
        "--token-file", metavar="FILE", help="holds the token (default: $EVONAS_TOKEN, else one is made)"
    )
    server.add_argument("--max-mb", type=int, default=512, help="largest order (default: 512)")
    server.add_argument("--max-seconds", type=float, default=600, help="longest that a network may take (default: 600)")

    table = add("table", _table, "measure each block of a config's space, for searches that add latencies up")
    table.add_argument("config", metavar="CONFIG")
    table.add_argument("--target", required=True, metavar="T", help="target of the config to measure on")
    table.add_argument("--out", default="table.parquet", metavar="FILE", help="default: table.parquet")
    _add_set(table)
    _add_import(table)

    submit = add("submit", _submit, "run a search as a job of a Ray cluster; the same line again comes back to it")
    submit.add_argument("config", metavar="CONFIG", help="YAML file")
    submit.add_argument("--address", required=True, metavar="URL", help="the cluster's dashboard, http://HOST:8265")
    submit.add_argument("--run", required=True, metavar="DIR", help="s3://... or an absolute path on the head")
    submit.add_argument("--follow", action="store_true", help="show the search until it ends; ctrl-C detaches")
    submit.add_argument("--insecure", action="store_true", help="also on a cluster that takes jobs from anybody")
    _add_set(submit)
    _add_import(submit)

    doctor = add("doctor", _doctor, "what stands in the way of a search on this machine or cluster")
    doctor.add_argument("config", metavar="CONFIG", nargs="?", help="without it: this machine and the cluster alone")
    doctor.add_argument(
        "--address",
        metavar="ADDRESS",
        help="HOST:PORT of a cluster's head, auto, local, or http://... of its dashboard",
    )
    doctor.add_argument("--run", metavar="DIR", help="run folder or s3://... (default: that of evonas search)")
    _add_format(doctor)
    _add_set(doctor)
    _add_import(doctor)

    add("schema", _schema, "the JSON schema of a config, for editors")
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. strategy.population=48"
    )


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")


def _add_take_over(parser: argparse.ArgumentParser) -> None:
    text = "go on although another search holds the folder; that one can record nothing any more"
    parser.add_argument("--take-over", action="store_true", help=text)


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import", action="append", default=[], metavar="MODULE", dest="modules", help="your own spaces and tasks"
    )


def _search(options: argparse.Namespace) -> int:
    from evonas.start import prepare

    modules = _imported(options.modules)
    return _run(prepare(options.config, overrides=options.overrides, run=options.run, modules=modules), options)


def _resume(options: argparse.Namespace) -> int:
    from evonas.start import prepare_again

    modules = _imported(options.modules)
    return _run(prepare_again(options.run, overrides=options.overrides, modules=modules), options)


def _run(prepared: "Prepared", options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas.run import Run
    from evonas.start import execute
    from evonas.terminal import show_front, watching

    console = Console(highlight=False)
    folder = prepared.folder
    interrupted = f"interrupted; nothing decided is lost. To go on: {options.line}\nrun: {folder}"
    signal.signal(signal.SIGTERM, partial(terminate_soon, interrupted))
    for note in prepared.notes:
        print(f"note: {note}")
    try:
        with watching(console) as watch:
            ended = execute(prepared, watch=watch, take_over=options.take_over)
    except KeyboardInterrupt as stop:
        print(interrupted, flush=True)
        return status_of(stop)
    except Halted as reason:
        print(f"evonas: stopped: {_printable(reason)}. To go on: {options.line}\nrun: {folder}", file=sys.stderr)
        return HALTED
    run = Run(folder)
    print(f"{ended}; {_outcomes(run)}")
    show_front(run, run.front(), console, plot=console.is_terminal)
    for line in _mismatches(run):
        print(line)
    print(f"run: {folder}")
    return 0


def _printable(message: object) -> str:
    """What a candidate or a foreign file put into a message must not steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(message))


def _status(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas.run import Run
    from evonas.terminal import show_front

    run = Run(options.run)
    state = run.status()
    if options.format == "json":
        print(json.dumps(state, indent=2))
    elif options.format == "csv":
        row = {**{key: value for key, value in state.items() if key != "statuses"}, **state["statuses"]}
        csv.writer(sys.stdout, lineterminator="\n").writerows([row.keys(), row.values()])
    else:
        print(f"{_outcomes(run)}; front of {state['front']}; {state['generations']} generations; {state['state']}")
        if state["front"]:
            show_front(run, run.front(), Console(highlight=False), plot=True)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from evonas.run import Run

    _imported(options.modules)
    verdict = Run(options.run).verify()
    if verdict.difference:
        print(f"differs: {verdict.difference}")
        return 1
    print(
        f"verified: {verdict.candidates:,} candidates and {verdict.generations:,} generations follow from the record; "
        f"{verdict.recounted:,} networks were built again and have the parameters that it says"
    )
    return 0


def _front(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas import analysis
    from evonas.figures import plot_front
    from evonas.run import Run
    from evonas.terminal import chosen_by, show_front, written

    run = Run(options.run)
    front = analysis.where(run.front(), options.where)
    if options.plot:
        plot_front(run, front, options.plot)
    if options.format == "csv":
        print(written(chosen_by(run, front), "csv"), end="")
    elif options.format == "json":
        print(written(chosen_by(run, front).assign(arch=front["arch"].map(json.loads)), "json"), end="")
    else:
        show_front(run, front, Console(highlight=False), plot=False)
    return 0


def _report(options: argparse.Namespace) -> int:
    from evonas.report import serve, write
    from evonas.run import Run

    if options.watch and options.out:
        raise UserError("--watch serves the page and writes none; leave out --out, or --watch")
    if options.port and not options.watch:
        raise UserError("--port is where --watch serves; add --watch")
    if options.watch:
        serve(options.run, options.port, lambda line: print(line, flush=True))
    path = write(Run(options.run), options.out)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _space(options: argparse.Namespace) -> int:
    from rich.console import Console

    from evonas.inspection import describe_space, space_genes
    from evonas.terminal import written

    _imported(options.modules)
    if options.format != "table":
        print(written(space_genes(options.config, options.overrides), options.format), end="")
        return 0
    for part in describe_space(options.config, options.overrides):
        Console(highlight=False).print(part, soft_wrap=isinstance(part, str))
    return 0


def _measure(options: argparse.Namespace) -> int:
    from evonas.inspection import in_words, measure_again
    from evonas.terminal import written

    _imported(options.modules)
    found = measure_again(options.run, options.candidate, options.target)
    if options.format != "table":
        print(written(found, options.format), end="")
        return 0
    for row in found:
        print(in_words(row))
    return 0


def _export(options: argparse.Namespace) -> int:
    from evonas.inspection import export

    _imported(options.modules)
    for line in export(options.run, options.candidate, options.out):
        print(line)
    return 0


def _measure_server(options: argparse.Namespace) -> int:
    from evonas.measuring.server import main

    return main(options.host, options.port, options.token_file, options.max_mb, options.max_seconds)


def _table(options: argparse.Namespace) -> int:
    from evonas.inspection import make_table

    _imported(options.modules)
    make_table(options.config, options.overrides, options.target, options.out, lambda line: print(line, flush=True))
    return 0


def _submit(options: argparse.Namespace) -> int:
    from evonas.submission import submit

    return submit(
        options.config,
        options.address,
        options.run,
        options.line,
        overrides=options.overrides,
        modules=_imported(options.modules),
        follow=options.follow,
        insecure=options.insecure,
    )


def _doctor(options: argparse.Namespace) -> int:
    from evonas.doctor import examine, examine_there, report

    modules = _imported(options.modules)
    if (options.address or "").startswith("http"):
        return examine_there(
            options.config, options.address, options.run, options.overrides, modules, form=options.format
        )
    findings = examine(
        options.config, overrides=options.overrides, address=options.address, run=options.run, modules=modules
    )
    return report(findings, options.format)


def _schema(options: argparse.Namespace) -> int:
    from evonas.inspection import schema

    print(json.dumps(schema(), indent=2))
    return 0


def _imported(names: Sequence[str]) -> list[ModuleType]:
    """The user's modules, from the current folder or the installed packages."""
    sys.path.insert(0, os.getcwd())
    modules = []
    for name in names:
        if name.endswith(".py"):
            sys.path.insert(0, str(Path(name).resolve().parent))
        try:
            modules.append(importlib.import_module(Path(name).stem if name.endswith(".py") else name))
        except ImportError as error:
            raise UserError(f"--import {name}: {error}") from None
    return modules


def _outcomes(run: "Run") -> str:
    counts = run.evaluations["status"].value_counts()
    each = ", ".join(f"{n:,} {status}" for status, n in counts.items())
    return f"{len(run.evaluations):,} candidates decided{f' ({each})' if each else ''}"


def _mismatches(run: "Run") -> Iterator[str]:
    """How well the tables of a run told what its front takes."""
    failed = run.measured[run.measured["message"] != ""]
    if len(failed):
        yield f"{len(failed)} networks of the front could not be measured: {_printable(failed['message'].iloc[0])}"
    for row in run.mismatch().to_dict("records"):
        yield (
            f"table against measurement on {row['target']}: mean error {100 * row['mean_error']:.1f} %, "
            f"Kendall tau {row['kendall_tau']:.2f}, {row['networks']} networks of the front"
        )
