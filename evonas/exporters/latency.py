"""The latency of an exported file on the targets of its run, in the form that it is exported in."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evonas.config import Config, TargetConfig
from evonas.errors import UserError
from evonas.exporters.exporter import Exporter
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference
from evonas.records import Inputs, Measurement
from evonas.text import describe_error


@dataclass(frozen=True, slots=True)
class Latency:
    """What a file takes on a target.

    Args:
        target: its name.
        measured: what was found; None where nothing was.
        recorded: milliseconds that the run has of the network; None where it has none.
        why: why nothing was found, or what there is to know of the comparison; "" where there is nothing.
    """

    target: str
    measured: Measurement | None
    recorded: float | None
    why: str = ""

    def __str__(self) -> str:
        if self.measured is None:
            return f"latency_ms[{self.target}]: not measured: {self.why}"
        found = self.measured
        unsettled = "" if found.settled else ", not settled in time"
        recorded = f"; the run recorded {self.recorded:.4g}" if self.recorded is not None else ""
        return (
            f"latency_ms[{self.target}] of this file: {found.ms:.4g} (95 % interval {found.low:.4g} to "
            f"{found.high:.4g}{unsettled}){recorded}{f', {self.why}' if self.why else ''}"
        )


def latencies(
    config: Config, row: "pd.Series[Any]", exporter: Exporter, file: bytes, inputs: Inputs, int8: bool = False
) -> Iterator[Latency]:
    """Measure a file on each target of its run.

    Args:
        config: the run's.
        row: the candidate's, of `evaluations`.
        exporter: of the file's format.
        file: what is measured.
        inputs: what it takes.
        int8: it is in 8 bits.

    Yields:
        One of each target, in the order of the config.
    """
    for name, target in config.targets.items():
        known = row.get(f"latency_ms[{name}]")
        recorded = float(known) if isinstance(known, float) and known == known else None
        if why := _obstacle(target, exporter, int8):
            yield Latency(name, None, recorded, why)
            continue
        try:
            lock = DeviceLock(["cpu"]) if target.quiet else DeviceLock([], enabled=False)
            bench = LatencyBenchmark(name, target, reference(), lock)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch copies an exported program by what it has deprecated
                found = bench.measure(exporter.loaded(file), inputs)
        except UserError as error:
            yield Latency(name, None, recorded, str(error))
        except Exception as error:
            yield Latency(name, None, recorded, f"{target.backend} cannot run it: {describe_error(error)}")
        else:
            alone = "of the network alone" if target.includes == "network" else ""
            yield Latency(name, found, recorded, alone)


def _obstacle(target: TargetConfig, exporter: Exporter, int8: bool) -> str:
    """Why a target cannot measure files of a format here; "" where it can."""
    if target.remote:
        return "the target is on another machine"
    if target.backend not in exporter.backends:
        forms = " or ".join(exporter.backends) or "no backend"
        return f"the target runs {target.backend}, and {forms} runs such a file"
    if exporter.examples not in (None, target.batch):
        return f"the target takes batches of {target.batch}, the file of {exporter.examples}"
    if target.dtype != "float32" and not (int8 and target.dtype == "int8"):
        return f"the target computes in {target.dtype}, the file in float32"
    return ""
