"""`evonas measure RUN CANDIDATE`."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from evonas.commands.arguments import add_format, add_import, add_run, imported
from evonas.errors import TargetUnavailable, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("candidate", type=int, metavar="CANDIDATE", help="its index")
    parser.add_argument("--target", metavar="T", help="default: every target of the run")
    add_format(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.terminal import written

    imported(options.modules)
    found = measure_again(options.run, options.candidate, options.target)
    if options.format != "table":
        print(written(found, options.format), end="")
        return 0
    for row in found:
        print(in_words(row))
    return 0


def measure_again(folder: str, candidate: int, target: str | None) -> Iterator[dict[str, Any]]:
    """Latency of a candidate's network on this machine, on each target, beside what the run recorded.

    Yields:
        target, latency_ms, low_ms and high_ms (95 % interval), settled, p90_ms, passes, raw_ms (as clocked), drift (how
        much slower the reference network was than on the quiet device), recorded_ms (None where none is)

    Raises:
        UserError: no such candidate or target, or the target's device is not here.
    """
    from evonas.components import remotes
    from evonas.evaluation.targets import Targets
    from evonas.measuring.device_lock import DeviceLock
    from evonas.objectives.objectives import Objectives
    from evonas.runs.rebuild import config_of, space_of, task_of
    from evonas.runs.run import Run

    run = Run(folder)
    config = config_of(run.folder, run.description)
    row = run.evaluations[run.evaluations["candidate"] == candidate]
    if row.empty:
        raise UserError(f"no evaluated candidate {candidate}; the run has {len(run.evaluations):,}")
    if target is not None and target not in config.targets:
        raise UserError(f"--target: no target {target!r}; the run has {', '.join(config.targets) or 'none'}")
    if not config.targets:
        raise UserError("the run has no targets to measure on")
    space, task = space_of(run.description, None), task_of(run.description)
    genome = tuple(row.iloc[0]["genome"])
    targets = Targets(space, config, Objectives(config, task), {}, DeviceLock(["cpu"]), task.input)
    endpoints = remotes(config, config.targets).endpoints
    for name in [target] if target else config.targets:
        try:
            found = targets.part(name, space.build(space.decode(genome), task), task.input, endpoints)
        except TargetUnavailable as away:
            raise UserError(str(away)) from None
        recorded = row.iloc[0].get(f"latency_ms[{name}]")
        yield {
            "target": name,
            "latency_ms": found.ms,
            "low_ms": found.low,
            "high_ms": found.high,
            "settled": found.settled,
            "p90_ms": found.p90,
            "passes": len(found.samples),
            "raw_ms": found.raw,
            "drift": found.drift,
            "recorded_ms": recorded,
        }


def in_words(row: Mapping[str, Any]) -> str:
    """A row of `measure_again` as a line."""
    unsettled = "" if row["settled"] else ", not settled in time"
    drift = row["drift"]
    slower = f"{abs(drift):.0%} {'slower' if drift > 0 else 'faster'} than on the quiet device"
    recorded = f"; recorded {row['recorded_ms']:.4g}" if row["recorded_ms"] else ""
    return (
        f"latency_ms[{row['target']}]: median {row['latency_ms']:.4g} (95 % interval {row['low_ms']:.4g} to "
        f"{row['high_ms']:.4g}{unsettled}), p90 {row['p90_ms']:.4g}, {row['passes']} passes, median as clocked "
        f"{row['raw_ms']:.4g}; the reference network was {slower}{recorded}"
    )
