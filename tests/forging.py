"""Changing a record together with all that vouches for it, as a forger would."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.store import open_folder
from evonas.store.documents import from_document, to_document
from evonas.store.journal import Journal, read_journal


def forge_cell(folder: Path, kind: str, generation: int, column: str, row: int, value: Any) -> None:
    """Change one cell of a generation. value: the new one, or a function of the old."""

    def changed(table: pa.Table) -> pa.Table:
        rows = table.to_pylist(maps_as_pydicts="strict")
        rows[row][column] = value(rows[row][column]) if callable(value) else value
        return pa.Table.from_pylist(rows, schema=table.schema)

    forge(folder, kind, generation, changed)


def forge(folder: Path, kind: str, generation: int, change: Callable[[pa.Table], pa.Table]) -> None:
    """kind: evaluations or populations."""
    path = folder / kind / f"generation-{generation:05d}.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    vouch(folder)


def vouch(folder: Path) -> None:
    """Make manifests and journal agree with the files that are there."""
    previous = hashlib.sha256((folder / "run.json").read_bytes()).hexdigest()
    manifests = sorted((folder / "manifest").iterdir())
    for manifest in manifests:
        entry = from_document(manifest.name, manifest.read_bytes())
        entry["previous"] = previous
        for kind in entry["sha256"]:
            data = (folder / kind / f"{manifest.stem}.parquet").read_bytes()
            entry["sha256"][kind] = hashlib.sha256(data).hexdigest()
        manifest.write_bytes(to_document(entry))
        previous = hashlib.sha256(manifest.read_bytes()).hexdigest()
    segment = read_journal(open_folder(folder))
    Journal(open_folder(folder), 99).checkpoint(len(manifests), previous, segment.entries if segment else ())
