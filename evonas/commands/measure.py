"""`evonas measure RUN CANDIDATE`, or `--front`."""

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import add_format, add_import, add_run, imported
from evonas.errors import UserError

if TYPE_CHECKING:
    from evonas.records import Measurement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("candidate", type=int, nargs="?", metavar="CANDIDATE", help="its index")
    parser.add_argument("--front", action="store_true", help="every network of the front; recorded beside the rows")
    parser.add_argument("--target", metavar="T", help="default: every target of the run")
    add_format(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.terminal.tables import written

    imported(options.modules)
    if (options.candidate is None) != options.front:
        raise UserError("measure takes a CANDIDATE, or --front")
    if options.front:
        found = measure_front(options.run, options.target)
    else:
        found = measure_again(options.run, options.candidate, options.target)
    if options.format != "table":
        print(written(found, options.format), end="")
        return 0
    for row in found:
        print(in_words(row))
    return 0


def measure_again(folder: str, candidate: int, target: str | None) -> Iterator[dict[str, Any]]:
    """Latency of a candidate's network on this machine, on each target, beside what the run recorded.

    Args:
        folder: of the run.
        candidate: its index.
        target: of the run; None: each.

    Yields:
        target, latency_ms, low_ms and high_ms (95 % interval), settled, p90_ms, passes, raw_ms (as clocked), drift (how
        much slower the reference network was than on the quiet device), recorded_ms (None where none is), device,
        unlike (in what that is another kind of device than the run's, in words; else empty)

    Raises:
        UserError: no such candidate or target, or the target's device is not here.
    """
    from evonas import analysis
    from evonas.final.latencies import measuring, recorded_kinds, where_of
    from evonas.measuring.identity import identity, unlike
    from evonas.runs.run import Run

    run = Run(folder)
    row = run.evaluations[run.evaluations["candidate"] == candidate]
    if row.empty:
        raise analysis.not_evaluated(run.evaluations, candidate)
    measure, kinds = measuring(run, target, any_kind=True), recorded_kinds(run)
    for name, found in measure(tuple(row.iloc[0]["genome"])):
        other = unlike(name, kinds.get(name, {}), identity(found.conditions), where_of(found))
        yield {**_row(name, found, row.iloc[0].get(f"latency_ms[{name}]")), "unlike": other}


def measure_front(folder: str, target: str | None) -> Iterator[dict[str, Any]]:
    """Latency of each network of the front on this machine, recorded in the run folder beside its rows, which stay.

    Args:
        folder: of the run.
        target: of the run; None: each.

    Yields:
        candidate, and as `measure_again`. All is recorded after the last.

    Raises:
        UserError: the front is empty, no such target, or the target's device is not here or of another kind than that
            on which the run has measured.
    """
    import platform

    from evonas.final.latencies import measuring
    from evonas.runs.run import Run
    from evonas.store import record_measured

    run = Run(folder)
    front = run.front()
    if front.empty:
        raise UserError(f"the front of {folder} is empty; there is nothing to measure")
    measure, rows = measuring(run, target), []
    for _, row in front.iterrows():
        metrics: dict[str, float] = {}
        conditions: dict[str, str] = {"host": platform.node()}
        for name, found in measure(tuple(row["genome"])):
            low, high = f"latency_low_ms[{name}]", f"latency_high_ms[{name}]"
            metrics |= {f"latency_ms[{name}]": found.ms, low: found.low, high: found.high}
            metrics[f"settled[{name}]"] = float(found.settled)
            conditions |= {f"{key}[{name}]": text for key, text in found.conditions.items()}
            yield {"candidate": int(row["candidate"]), **_row(name, found, row.get(f"latency_ms[{name}]"))}
        rows.append({"candidate": int(row["candidate"]), "message": "", "metrics": metrics, "conditions": conditions})
    record_measured(run.folder, rows)


def _row(name: str, found: "Measurement", recorded: float | None) -> dict[str, Any]:
    return {
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
        "device": found.conditions.get("device", ""),
    }


def in_words(row: Mapping[str, Any]) -> str:
    """A row of `measure_again` as a line."""
    unsettled = "" if row["settled"] else ", not settled in time"
    drift = row["drift"]
    slower = f"{abs(drift):.0%} {'slower' if drift > 0 else 'faster'} than on the quiet device"
    recorded = f"; recorded {row['recorded_ms']:.4g}" if row["recorded_ms"] else ""
    other = f"; not to be compared: {row['unlike']}" if row.get("unlike") else ""
    which = f"candidate {row['candidate']}, " if "candidate" in row else ""
    return (
        f"{which}latency_ms[{row['target']}]: median {row['latency_ms']:.4g} (95 % interval {row['low_ms']:.4g} to "
        f"{row['high_ms']:.4g}{unsettled}), p90 {row['p90_ms']:.4g}, {row['passes']} passes, median as clocked "
        f"{row['raw_ms']:.4g}; the reference network was {slower}{recorded}{other}"
    )
