"""The one writer of a run folder."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.records import Candidate, Progress
from evonas.store.files import lock, write_once
from evonas.store.journal import Journal
from evonas.store.reading import Recovered, generation_name, read_starts, weights_path
from evonas.store.schema import POPULATIONS, SCHEMA_VERSION, candidate_row

FOLDERS = ("starts", "journal", "evaluations", "populations", "manifest", "weights")


def create_run(folder: Path, description: Mapping[str, Any]) -> None:
    """Write run.json, once."""
    text = json.dumps({"schema_version": SCHEMA_VERSION, **description}, indent=2)
    write_once(folder / "run.json", text.encode())


def is_new(folder: Path) -> bool:
    """Whether nothing is there but what a writer lays out before its first record."""
    return not folder.exists() or all(path.name in FOLDERS or path.name[0] == "." for path in folder.iterdir())


class Store:
    """Records births, rungs and decisions in the journal, and generations as Parquet.

    Nothing is acted on before it is durable: `flush` comes before a job is dispatched.

    Raises:
        UserError: another search is writing to the folder.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder = folder
        self._schema = schema
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._lock = lock(folder / ".lock")
        self._journal = Journal(folder / "journal")
        self._open: dict[int, dict[str, dict[str, Any]]] = {}  # candidate -> its journal entries, by kind
        self._generations = 0
        self._start = 0

    def started(self, description: Mapping[str, Any]) -> None:
        """Note with what budget, where and in which versions the search goes on from here."""
        self._start = 1 + len(read_starts(self.folder))
        write_once(self.folder / "starts" / f"{self._start:04d}.json", json.dumps(description, indent=2).encode())

    def ended(self, reason: str) -> None:
        """Note that the search came to its end, and did not just stop."""
        text = json.dumps({"ended": reason}, indent=2)
        write_once(self.folder / "starts" / f"ended-{self._start:04d}.json", text.encode())

    def restore(self, recovered: Recovered) -> None:
        """Take up what was left open when the search last ended."""
        self._generations = recovered.generations
        self._open = {row["candidate"]: {"decided": row} for row in recovered.rows}
        for candidate in recovered.born:
            self._keep({"kind": "born", **candidate_row(candidate)})
        for progress in recovered.reached:
            self._keep(_reached(progress))
        self._journal.rotate(self._entries())

    def born(self, candidate: Candidate) -> None:
        self._record({"kind": "born", **candidate_row(candidate)})

    def reached(self, progress: Progress) -> None:
        self._record(_reached(progress))

    def decided(self, row: Mapping[str, Any], elapsed_s: float) -> None:
        self._open.pop(row["candidate"], None)
        self._record({"kind": "decided", "elapsed_s": elapsed_s, **row})

    def flush(self) -> None:
        self._journal.flush()

    def commit(
        self, indices: Sequence[int], first: int, population: Iterable[tuple[int, int, float]], elapsed_s: float
    ) -> None:
        """Make the next generation part of the record; the journal goes on with what is still open.

        indices: its candidates in order. first: position of the first of them. population: (candidate, rank,
        crowding) of each survivor, best first.
        """
        self._generations += 1
        number = self._generations
        rows = [
            {**self._open.pop(index)["decided"], "generation": number, "position": first + i}
            for i, index in enumerate(indices)
        ]
        members = [
            {"generation": number, "candidate": index, "rank": rank, "crowding": crowding}
            for index, rank, crowding in population
        ]
        digests = {
            "evaluations": self._write("evaluations", rows, self._schema),
            "populations": self._write("populations", members, POPULATIONS),
        }
        self._write_manifest({"rows": len(rows), "elapsed_s": elapsed_s, "sha256": digests})
        self._journal.rotate(self._entries())

    def save_weights(self, index: int, data: bytes) -> None:
        write_once(weights_path(self.folder, index), data)

    def keep_weights(self, indices: Iterable[int]) -> None:
        """Remove the weights of every candidate that is not among `indices`."""
        kept = {weights_path(self.folder, index).name for index in indices}
        for path in (self.folder / "weights").glob("*.safetensors"):
            if path.name not in kept:
                path.unlink()

    def close(self) -> None:
        self._journal.close()
        self._lock.close()

    def _entries(self) -> Iterator[dict[str, Any]]:
        return (entry for entries in self._open.values() for entry in entries.values())

    def _record(self, entry: dict[str, Any]) -> None:
        self._keep(entry)
        self._journal.append(entry)

    def _keep(self, entry: dict[str, Any]) -> None:
        kind = entry["kind"] + str(entry.get("rung", ""))
        self._open.setdefault(entry["candidate"], {})[kind] = entry

    def _write(self, name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> str:
        """One Parquet file of the generation being committed; returns its SHA-256."""
        sink = pa.BufferOutputStream()
        table = pa.Table.from_pylist(rows, schema=schema)
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        data = sink.getvalue().to_pybytes()
        write_once(self.folder / name / f"{generation_name(self._generations)}.parquet", data)
        return hashlib.sha256(data).hexdigest()

    def _write_manifest(self, entry: dict[str, Any]) -> None:
        """The commit: a generation counts once this file is there. Each names the one before it by its SHA-256."""
        folder = self.folder / "manifest"
        before = folder / f"{generation_name(self._generations - 1)}.json"
        previous = hashlib.sha256(before.read_bytes()).hexdigest() if self._generations > 1 else None
        entry = {"generation": self._generations, "previous": previous, **entry}
        write_once(folder / f"{generation_name(self._generations)}.json", json.dumps(entry, indent=1).encode())


def _reached(progress: Progress) -> dict[str, Any]:
    return {
        "kind": "reached",
        "candidate": progress.index,
        "rung": progress.rung,
        "metrics": dict(progress.metrics),
    }
