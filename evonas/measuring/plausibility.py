"""What comes from another process or a file and calls itself a measurement is one, or is refused."""

import math
from collections.abc import Collection
from dataclasses import fields, replace

from pydantic import TypeAdapter, ValidationError

from evonas.records import Measurement
from evonas.text import one_line

LONGEST_MS = 1e8
"""More than a day: longer than any pass that is waited for."""
LARGEST = 1e9
"""MB and mJ."""
MOST_SAMPLES, MOST_CONDITIONS = 100_000, 100
TIMES = ("ms", "low", "high", "p90", "raw", "reference")
OTHERS = ("memory_mb", "size_mb", "energy_mj")
_MEASUREMENT = TypeAdapter(Measurement)


def plausible(found: object, wanted: Collection[str] = ()) -> Measurement:
    """Returns a measurement as it was sent or stored.

    Args:
        found: The fields of a `Measurement`, as JSON has them.
        wanted: Those of memory_mb, energy_mj that must be among them.

    Raises:
        ValueError: It is none, or its numbers cannot be those of a device; one line.
    """
    try:
        given = _MEASUREMENT.validate_python(found)
    except (ValidationError, RecursionError, TypeError):
        raise ValueError("it has not the fields of a measurement") from None
    if isinstance(found, dict) and found.keys() - {field.name for field in fields(Measurement)}:
        raise ValueError("it has other fields than a measurement")
    for name in TIMES:
        _check(name, getattr(given, name), LONGEST_MS)
    for name in OTHERS:
        if (value := getattr(given, name)) is not None:
            _check(name, value, LARGEST)
        elif name in wanted:
            raise ValueError(f"{name} is missing")
    if not given.low <= given.ms <= given.high:
        raise ValueError(f"its {given.ms:g} ms are outside their interval, {given.low:g} to {given.high:g}")
    if not math.isfinite(given.drift):
        raise ValueError(f"drift is {given.drift}")
    if not given.samples or len(given.samples) > MOST_SAMPLES:
        raise ValueError(f"it has {len(given.samples):,} samples, not 1 to {MOST_SAMPLES:,}")
    if not all(0 <= sample <= LONGEST_MS for sample in given.samples):
        raise ValueError(f"its samples are not all between 0 and {LONGEST_MS:g} ms")
    if len(given.conditions) > MOST_CONDITIONS:
        raise ValueError(f"it has {len(given.conditions):,} conditions, more than {MOST_CONDITIONS}")
    return replace(given, conditions={one_line(name): one_line(text) for name, text in given.conditions.items()})


def _check(name: str, value: float, most: float) -> None:
    if not 0 < value <= most:  # neither is NaN
        raise ValueError(f"{name} is {value:g}, not above 0 and at most {most:g}")
