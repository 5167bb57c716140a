"""The one writer of a run."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from evonas.records import Candidate, Evaluation, RungReport
from evonas.store.candidate_files import Checkpoints, Logs, Weights, retrained_name
from evonas.store.description import is_new
from evonas.store.documents import to_document
from evonas.store.folder import Folder, digits
from evonas.store.generations import generation_name, to_parquet
from evonas.store.journal import Journal
from evonas.store.recovery import Recovered
from evonas.store.schema import POPULATIONS, candidate_row
from evonas.store.starts import Start, recorded


class Store:
    """Records births, rungs and decisions in the journal, and generations as Parquet.

    Nothing is acted on before it is durable: `flush` comes before a job is dispatched.

    Args:
        folder: of the run, whose lock it holds until `close`.
        schema: of the run's evaluations.
        take_over: also where another search holds the lock, which then records nothing any more.

    Raises:
        UserError: another search is writing to the folder, and it is not to be taken over.
    """

    def __init__(self, folder: Folder, schema: pa.Schema, take_over: bool = False) -> None:
        self.folder = folder
        self.start = Start(folder)
        self.weights, self.checkpoints, self.logs = Weights(self.start), Checkpoints(self.start), Logs(self.start)
        self._schema = schema
        self._lock = folder.lock(take_over)
        self._journal: Journal | None = None
        self._open: dict[int, dict[str, dict[str, Any]]] = {}  # candidate -> its journal entries, by kind
        self._generations = 0
        self._digest = ""  # of the newest manifest
        self._closed = False

    @recorded
    def restore(self, recovered: Recovered) -> None:
        """Take up what was left open when the search last ended; what is damaged is set aside."""
        self._generations, self._digest = recovered.generations, recovered.tables.digest
        self._clear(aside=recovered.damage is not None)
        for kept in (self.weights, self.checkpoints, self.logs):
            kept.restore()
        self._open = {row["candidate"]: {"evaluation": row} for row in recovered.rows}
        for candidate in recovered.pending:
            self._keep({"kind": "candidate", **candidate_row(candidate)})
        for report in recovered.reached:
            self._keep(_reached(report))
        self._journal = Journal(self.folder, self.start.number)
        self._checkpoint()

    def record_candidate(self, candidate: Candidate) -> None:
        self._record({"kind": "candidate", **candidate_row(candidate)})

    def reached(self, report: RungReport) -> None:
        self._record(_reached(report))

    def record_evaluation(self, row: Mapping[str, Any], elapsed_s: float) -> None:
        self._open.pop(row["candidate"], None)
        self._record({"kind": "evaluation", "elapsed_s": elapsed_s, **row})

    @recorded
    def flush(self) -> None:
        if self._journal and self._journal.waiting:
            self.start.check_newest()
            self._journal.flush()

    @recorded
    def commit(
        self, indices: Sequence[int], first: int, population: Iterable[tuple[int, int, float]], elapsed_s: float
    ) -> None:
        """Make the next generation part of the record; the journal goes on with what is still open.

        indices: its candidates in order. first: position of the first of them. population: (candidate, rank,
        crowding) of each survivor, best first.
        """
        self.start.check()
        number = self._generations + 1
        rows = [
            {**self._open.pop(index)["evaluation"], "generation": number, "position": first + i}
            for i, index in enumerate(indices)
        ]
        members = [
            {"generation": number, "candidate": index, "rank": rank, "crowding": crowding}
            for index, rank, crowding in population
        ]
        digests = {
            "evaluations": self.start.put(generation_name("evaluations", number), to_parquet(rows, self._schema)),
            "populations": self.start.put(generation_name("populations", number), to_parquet(members, POPULATIONS)),
        }
        manifest = {
            "generation": number,
            "start": self.start.number,
            "previous": self._digest,
            "rows": len(rows),
            "elapsed_s": elapsed_s,
            "sha256": digests,
        }
        self._digest = self.start.put(generation_name("manifest", number), to_document(manifest))  # the commit
        self._generations = number
        self._checkpoint()

    @recorded
    def measured(self, found: Evaluation) -> None:
        """Note what a candidate took that was measured after the search, besides what its row says."""
        index = found.candidate.index
        row = {"candidate": index, "message": found.message}
        row |= {"metrics": dict(found.metrics), "conditions": dict(found.conditions)}
        self.start.check()
        self.start.put(f"measured/{self.start.number:04d}-{index:06d}.json", to_document({"measured": [row]}))

    @recorded
    def retrained(self, evaluation: Evaluation, message: str) -> None:
        """Keep the weights of a candidate that was trained again after the search, and what it reached then.

        Args:
            evaluation: of that training; without weights where it failed.
            message: in what it differs from the row, in one line; empty where it does not.
        """
        index, weights = evaluation.candidate.index, evaluation.weights
        if weights:
            self.weights.save(index, weights)
        found = {
            "candidate": index,
            "weights_sha256": hashlib.sha256(weights).hexdigest() if weights else "",
            "message": message,
            "metrics": dict(evaluation.curve[-1].metrics) if evaluation.curve else {},
            "conditions": dict(evaluation.conditions),
        }
        self.start.put(retrained_name(index), to_document(found))

    def close(self) -> None:
        """Let go of the folder, whatever can still be written or not; one without a record is left as it was found."""
        if self._closed:
            return
        self._closed = True
        try:
            with suppress(OSError):
                if is_new(self.folder):
                    self.folder.vacate()
            if self._journal:
                with suppress(OSError):  # what waits could not be written before, or the search is ending badly
                    self._journal.close()
        finally:
            with suppress(OSError):
                self._lock.close()

    def _entries(self) -> Iterator[dict[str, Any]]:
        return (entry for entries in self._open.values() for entry in entries.values())

    def _record(self, entry: dict[str, Any]) -> None:
        self._keep(entry)
        assert self._journal is not None
        self._journal.append(entry)

    def _keep(self, entry: dict[str, Any]) -> None:
        kind = entry["kind"] + str(entry.get("rung", ""))
        self._open.setdefault(entry["candidate"], {})[kind] = entry

    def _checkpoint(self) -> None:
        assert self._journal is not None
        self._journal.checkpoint(self._generations, self._digest if self._generations else None, self._entries())

    def _clear(self, aside: bool) -> None:
        """Remove what is beyond the record, and keep a copy in damaged/ where it may be of use to a person."""
        beyond = [
            f"{kind}/{name}"
            for kind in ("manifest", "evaluations", "populations")
            for name in self.folder.names(kind)
            if digits(name) > self._generations
        ]
        journal = [f"journal/{name}" for name in self.folder.names("journal")]
        for name in [*beyond, *journal] if aside else ():
            self.folder.create(f"damaged/{self.start.number:04d}-{name.replace('/', '-')}", self.folder.read(name))
        for name in beyond:
            self.folder.remove(name)


def _reached(report: RungReport) -> dict[str, Any]:
    return {
        "kind": "report",
        "candidate": report.index,
        "rung": report.rung,
        "metrics": dict(report.metrics),
    }
