"""What a network costs on a target, and where and on what kind of device that is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a network costs on a target. Times are milliseconds of one forward pass of the target's batch.

    Args:
        ms: the median, corrected: the ratio to the reference network, times what that takes on the quiet device.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        p90: the ninth decile, corrected by the same factor.
        raw: the median as it was clocked.
        reference: median of the reference network during this measurement.
        drift: how much slower that was than on the quiet device, as a share; 0.1 is 10 %.
        samples: single passes as they were clocked, in order.
        settled: the interval came within the bound in time.
        memory_mb: peak of a pass, weights included, MB of 10^6 bytes; None where it was not asked for.
        size_mb: file of the network, MB of 10^6 bytes; None where nobody asked and nothing was measured through a file.
        energy_mj: of a pass; None where it was not asked for.
        conditions: what the numbers depend on, as text: device, driver, clocks, threads, dtype, batch, versions,
            ...
    """

    ms: float
    low: float
    high: float
    p90: float
    raw: float
    reference: float
    drift: float
    samples: tuple[float, ...]
    settled: bool
    memory_mb: float | None = None
    size_mb: float | None = None
    energy_mj: float | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target is measured that is not on the worker itself: a measuring server.

    Args:
        url: http://HOST:PORT.
        token: what it asks for.
        kind: what of the device the run has measured on so far, as `RunKind.devices` has it; empty: not known.
    """

    url: str
    token: str = field(repr=False, default="")
    kind: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class RunKind:
    """What all rows of a run have alike, so that their numbers may stand in one column: of a run, or of a worker.

    Args:
        devices: target -> what `measuring.identity` compares of the conditions of its measurements; without targets
            that may be any device.
        precision: what `training.precision: auto` is, "float32" or "bfloat16"; "" where it is not known or not auto.
        card: of a worker: the GPU that it trains on, by a name that no other has; "" for none.
        float32: "cuda" or "cpu", where it trains -> how products of float32 are computed there (TF32, bfloat16), as far
            as it is known.
    """

    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    precision: str = ""
    card: str = ""
    float32: Mapping[str, str] = field(default_factory=dict)


UNKNOWN = RunKind()
"""The kind of a run that has no rows."""
