"""A latency table says what each block of a space takes on a target, for searches that add up instead of measuring.

What a block takes by itself includes a pass of its own: the call, and the handing over of its input. So a table has
what an empty network takes at the same input shape too, and that is taken off. What is then still too much or too
little by the same share for all networks, such as what runtimes fuse across blocks, one factor corrects.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas import atomic_files
from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import from_plain, in_words
from evonas.latency_tables import version_1
from evonas.latency_tables.blocks import OVERHEAD
from evonas.records import Inputs, TaskSpec
from evonas.spaces.space import Space

VERSION = 2
"""The version of the files that are written; those of version 1 are read too."""
SHAPING = ("backend", "device", "dtype", "threads", "batch", "graph")
"""Keys of a target on which its latencies depend; the others say where and how well they are measured."""
ABOUT, DIGEST = b"evonas.latency_table", b"evonas.latency_table.sha256"
"""Keys of the file's metadata."""
AGAIN = "make it anew with `evonas table`"


@dataclass(frozen=True, slots=True)
class BlockLatency:
    """A block, measured by itself. Times in milliseconds.

    Args:
        key: of the block.
        ms, low, high, p90: as in `Measurement`.
        overhead_ms: what an empty network takes that gets the same input.
        samples: how many passes were clocked.
        times_seen: how often it runs in the networks that were looked at.
    """

    key: str
    ms: float
    low: float
    high: float
    p90: float
    overhead_ms: float
    samples: int
    times_seen: int


_TYPES = {"key": pa.string(), "samples": pa.int64(), "times_seen": pa.int64()}
SCHEMA = pa.schema([pa.field(name, _TYPES.get(name, pa.float64())) for name in BlockLatency.__slots__])


@dataclass(frozen=True, slots=True)
class Check:
    """How far the table is from networks that were measured as a whole, as shares of what was measured.

    Args:
        networks: what the table says before it is scaled, and what was measured (ms), of each.
        error, bias: mean of the absolute errors, and of the errors, of the networks that the scale was not fitted to.
        unscaled_error, unscaled_bias: the same without the scale.
        kendall_tau: between the two orders of all networks, 1 is the same order; None where there are none.
    """

    networks: tuple[tuple[float, float], ...]
    error: float
    bias: float
    unscaled_error: float
    unscaled_bias: float
    kendall_tau: float | None

    def __str__(self) -> str:
        scaled = f"mean error {100 * self.error:.1f} %, bias {100 * self.bias:+.1f} %"
        unscaled = f"unscaled {100 * self.unscaled_error:.1f} %, {100 * self.unscaled_bias:+.1f} %"
        order = "none" if self.kendall_tau is None else f"{self.kendall_tau:.2f}"
        return f"against {len(self.networks)} whole networks: {scaled} ({unscaled}), Kendall tau {order}"


@dataclass(frozen=True)
class Table:
    """Latencies of the blocks of a space on a target.

    Args:
        target: its name.
        section: of the target in the config.
        kind, signature: of the space.
        inputs, output_shape: of its networks, as plain data.
        overhead_ms: what an empty network takes with these inputs.
        scale: the factor of all entries.
        check: how far the sums are from whole networks.
        conditions: as in `Measurement`, those that all blocks had alike.
        evonas: the version that made it.
        rows: one for each block.
        version: of the file that it came from or goes to.
    """

    target: str
    section: Mapping[str, Any]
    kind: str
    signature: str
    inputs: Mapping[str, Any]
    output_shape: tuple[int, ...]
    overhead_ms: float
    scale: float
    check: Check
    conditions: Mapping[str, str]
    evonas: str
    rows: tuple[BlockLatency, ...] = field(repr=False)
    version: int = VERSION

    @property
    def includes(self) -> str:
        """What its sums are the latency of: "network", or "prepare" with it. Older tables are of networks alone."""
        return str(self.section.get("includes", "network"))

    @cached_property
    def entries(self) -> Mapping[str, float]:
        """Block -> ms, as `estimate` adds them up."""
        return scaled(self.rows, self.overhead_ms, self.scale)

    @cached_property
    def sha256(self) -> str:
        """The digest of the content as its version has it, whatever file that is in. Runs record it."""
        content = asdict(self)
        if self.version == version_1.VERSION:
            content = version_1.downgraded(content)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def scaled(rows: tuple[BlockLatency, ...], overhead_ms: float, scale: float) -> Mapping[str, float]:
    """Block -> ms without the pass that was measured with it, and `OVERHEAD` -> that of a whole network; all scaled."""
    own = {row.key: scale * max(0.0, row.ms - row.overhead_ms) for row in rows}
    return {OVERHEAD: scale * overhead_ms, **own}


def write(table: Table, path: str | Path) -> None:
    """Write a table as Parquet, whole or not at all.

    Args:
        table: of whatever version; the file is of the current one.
        path: where a table of the same target may be.

    Raises:
        UserError: something else is there, or it cannot be written.
    """
    path = Path(path)
    check_free(path, table.target)
    table = replace(table, version=VERSION)
    about = asdict(table)
    rows = about.pop("rows")
    schema = SCHEMA.with_metadata({ABOUT: json.dumps(about), DIGEST: table.sha256})
    data = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), data)
    try:
        atomic_files.replace(path, data.getvalue())
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None


def check_free(path: str | Path, target: str) -> None:
    """Check that a table can be written there.

    Args:
        path: of the file.
        target: of the table.

    Raises:
        UserError: there is something at the path that is no table of this target, or no folder for it.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    if path.exists() and (other := read(path).target) != target:
        raise UserError(f"{path} is the latency table of target {other}, not {target}; give another --out")


def read(path: str | Path) -> Table:
    """Read a table, also one of version 1. Imports and runs nothing that the file names.

    Args:
        path: of the file.

    Raises:
        UserError: there is no such file, or it is no latency table, or not as it was written.
    """
    try:
        with pq.ParquetFile(Path(path)) as parquet:
            file = parquet.read(use_threads=False)
    except FileNotFoundError:
        raise UserError(f"no latency table {path}; `evonas table` makes one") from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} is no latency table, or damaged: {str(error).splitlines()[0]}") from None
    about = (file.schema.metadata or {}).get(ABOUT)
    if about is None or not any(file.schema.equals(schema) for schema in (SCHEMA, version_1.SCHEMA)):
        raise UserError(f"{path} is no latency table; `evonas table` makes one")
    try:
        table = _table({**json.loads(about), "rows": file.to_pylist()})
        intact = table.sha256.encode() == file.schema.metadata[DIGEST]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise UserError(f"{path} is not what was written: it is damaged or of another evonas; {AGAIN}")
    return table


def check_compatible(
    table: Table, section: TargetConfig, space: Space, spec: TaskSpec, stored: Inputs | None = None
) -> None:
    """Check that a table tells what the networks of a search take.

    Args:
        table: what was read.
        section: the search's target.
        space: its space.
        spec: its task.
        stored: what is taken in where the target includes the task's `prepare`.

    Raises:
        UserError: the table was made for another target, space or task; the first difference.
    """
    wanted = section.model_dump(mode="json")
    networks = {"inputs": in_words(stored or spec.input), "output_shape": spec.output_shape}
    if wanted["includes"] != table.includes:
        raise UserError(
            f"the latency table of target {table.target} includes {table.includes}, the target {wanted['includes']}; "
            f"set targets.{table.target}.includes: {table.includes}, or {AGAIN}"
        )
    there = {**table.section, "inputs": in_words(from_plain(table.inputs)), "output_shape": table.output_shape}
    for key, value in {**{key: wanted[key] for key in SHAPING}, **networks}.items():
        if there.get(key) != value:
            what = "the target has" if key in wanted else "networks have"
            raise UserError(
                f"the latency table of target {table.target} was made for {key} {there.get(key)}, {what} {value}"
            )
    if table.signature != space.signature():
        difference = _difference(table.signature, space.signature())
        raise UserError(f"the latency table of target {table.target} is of another space, {difference}; {AGAIN}")


def _table(plain: dict[str, Any]) -> Table:
    if plain["version"] == version_1.VERSION:
        plain = version_1.upgraded(plain)
    elif plain["version"] != VERSION:
        raise ValueError("of another version")
    from_plain(plain["inputs"])
    check = dict(plain["check"])
    networks = tuple((float(predicted), float(measured)) for predicted, measured in check.pop("networks"))
    return Table(
        **{
            **plain,
            "output_shape": tuple(plain["output_shape"]),
            "check": Check(networks=networks, **check),
            "rows": tuple(BlockLatency(**row) for row in plain["rows"]),
        }
    )


def _difference(there: str, here: str) -> str:
    """The places where two texts begin to differ."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(there, here, strict=False)))
    at = max(0, same - 20)
    return f"{there[at : at + 60]!r} there, {here[at : at + 60]!r} here"
