"""The committed generations of a run: each file checked against the SHA-256 that its manifest names."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.store.description import RUN, run_document
from evonas.store.documents import Damaged, from_document
from evonas.store.folder import Folder, digits
from evonas.store.journal import Segment
from evonas.store.migration import is_earlier, migrate_table
from evonas.store.schema import POPULATIONS
from evonas.store.validation import ManifestForm, check_document, check_table

MOST_ROWS = 10**6
"""Survivors of a generation, at most."""
UNPACKED_BYTES = 2**31
"""Memory that a table of a generation may take."""
_MANIFEST_KEYS = {"generation", "start", "previous", "elapsed_s", "rows", "sha256"}


@dataclass(frozen=True, slots=True)
class Tables:
    """The committed generations. elapsed_s: running time of the search up to the last of them; digest: of its
    manifest, or of run.json where there is none."""

    evaluations: list[pa.Table]
    populations: list[pa.Table]
    elapsed_s: float
    digest: str


def generation_name(kind: str, generation: int) -> str:
    """kind: manifest, evaluations or populations."""
    return f"{kind}/generation-{generation:05d}.{'json' if kind == 'manifest' else 'parquet'}"


def tables_of(
    folder: Folder, segment: Segment | None, schema: pa.Schema, most: int | None = None
) -> tuple[Tables, Damaged | None]:
    """The generations before the first that is damaged, `most` at most, and what is wrong with that one."""
    evaluations: list[pa.Table] = []
    populations: list[pa.Table] = []
    elapsed, chain, damage = 0.0, sha256_of(run_document(folder)), None
    due = segment.generations if segment else 0
    present = max((digits(name) for name in folder.names("manifest")), default=0)
    try:
        for generation in range(1, 1 + (max(present, due) if most is None else most)):
            entry, digest = _manifest(folder, generation)
            if segment and generation > due and entry["start"] < segment.start:
                break  # the work of a driver that had been replaced by then
            if entry["previous"] != chain:
                name = generation_name("manifest", generation)
                raise Damaged(name, f"does not follow {RUN if generation == 1 else 'the manifest before it'}")
            rows = _parquet(folder, generation, "evaluations", entry, schema)
            members = _parquet(folder, generation, "populations", entry, POPULATIONS)
            if segment and generation == due and digest != segment.manifest:
                raise Damaged(generation_name("manifest", generation), "is not the one that the journal names")
            evaluations.append(rows)
            populations.append(members)
            chain, elapsed = digest, float(entry["elapsed_s"])
        if segment is None and present:
            damage = Damaged("journal", "is missing")
    except Damaged as found:
        damage = found
    return Tables(evaluations, populations, elapsed, chain), damage


def _manifest(folder: Folder, generation: int) -> tuple[Mapping[str, Any], str]:
    name = generation_name("manifest", generation)
    try:
        data = folder.read(name)
    except FileNotFoundError:
        raise Damaged(name, "is missing") from None
    entry = from_document(name, data)
    check_document(name, entry, ManifestForm)
    if entry.keys() != _MANIFEST_KEYS or entry["generation"] != generation:
        raise Damaged(name, "is damaged: it is not this generation's manifest")
    return entry, sha256_of(data)


def _parquet(folder: Folder, generation: int, kind: str, manifest: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    name = generation_name(kind, generation)
    try:
        data = folder.read(name)
    except FileNotFoundError:
        raise Damaged(name, "is missing") from None
    if sha256_of(data) != manifest["sha256"].get(kind):
        raise Damaged(name, "is damaged: its SHA-256 is not the recorded one")
    table = unpacked(name, data, manifest["rows"] if kind == "evaluations" else MOST_ROWS)
    if is_earlier(table.schema):
        try:
            table = migrate_table(table, schema)
        except (ValueError, TypeError, KeyError, AttributeError, pa.ArrowException) as error:
            raise Damaged(name, f"is damaged: {str(error).splitlines()[0]}") from None
    if not table.schema.equals(schema):
        raise Damaged(name, "is damaged: its columns are not those of this run")
    check_table(
        name, table, [column.name for column in schema if column.type == pa.float64() and kind == "evaluations"]
    )
    return table


def to_parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    """A table as a file of a run."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd", write_page_checksum=True)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def unpacked(name: str, data: bytes, rows: int) -> pa.Table:
    """The table of a Parquet file with at most so many rows, if it takes no more memory than one of a run may."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        size = sum(column.total_uncompressed_size for column in columns)
        values = sum(column.num_values for column in columns)
        if file.metadata.num_rows > rows or max(size, 8 * values) > UNPACKED_BYTES:
            raise Damaged(name, f"is damaged: its {file.metadata.num_rows:,} rows are more than the {rows:,} recorded")
        if file.metadata.num_rows * size <= UNPACKED_BYTES:
            # Arrow's threads may abort a process that ends soon after: github.com/apache/arrow/issues/34314
            return file.read(use_threads=False)  # read_table, for datasets, takes twice as long
        batches, taken = [], 0
        for batch in file.iter_batches(max(1, UNPACKED_BYTES // (16 * max(size, 1))), use_threads=False):
            taken += batch.nbytes
            if taken > UNPACKED_BYTES:
                raise Damaged(name, f"is damaged: it unpacks to more than {UNPACKED_BYTES:,} bytes")
            batches.append(batch)
        return pa.Table.from_batches(batches, file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(name, f"is damaged: it is not Parquet ({str(error).splitlines()[0]})") from None


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
