"""Latency tables as evonas wrote them before inputs could be other than one tensor of floats.

Runs record the digest of their table, so a table that was read from such a file must keep it.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from evonas.inputs import to_plain
from evonas.records import InputSpec

VERSION = 1
_TYPES = {"key": pa.string(), "samples": pa.int64(), "times_seen": pa.int64()}
_COLUMNS = ("key", "ms", "low", "high", "p90", "pass_ms", "samples", "times_seen")
SCHEMA = pa.schema([pa.field(name, _TYPES.get(name, pa.float64())) for name in _COLUMNS])
NAMES = {"pass_ms": "overhead_ms"}
OLD_NAMES = {new: old for old, new in NAMES.items()}


def upgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file of version 1 as that of the next one, but for its version.

    Raises:
        KeyError, TypeError, ValueError: it is not what version 1 had.
    """
    new = _renamed(plain, NAMES)
    shape, outputs = new.pop("input_shape"), new.pop("outputs")
    return {**new, "inputs": to_plain(InputSpec(tuple(shape))), "output_shape": [outputs]}


def downgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of `upgraded`."""
    old = _renamed(plain, OLD_NAMES)
    inputs, (outputs,) = old.pop("inputs"), old.pop("output_shape")
    return {**old, "input_shape": inputs["shape"], "outputs": outputs}


def _renamed(plain: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    rows = [{names.get(key, key): value for key, value in row.items()} for row in plain["rows"]]
    return {**{names.get(key, key): value for key, value in plain.items()}, "rows": rows}
