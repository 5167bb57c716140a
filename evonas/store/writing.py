"""The one writer of a run."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.errors import Halted, Replaced, UserError
from evonas.excerpt import MOST_BYTES, shortened
from evonas.records import Candidate, Evaluation, RungReport
from evonas.store.description import RUN, RUN_COPY, run_document
from evonas.store.documents import from_document, to_document
from evonas.store.folder import FOLDERS, REUSED, VOUCHED, Folder, digits
from evonas.store.generations import checkpoint_name, generation_name, log_name, retrained_name, weights_name
from evonas.store.journal import Journal
from evonas.store.lease import LEASE
from evonas.store.reading import FROM_COMMAND, last_start
from evonas.store.recovery import Recovered
from evonas.store.schema import POPULATIONS, SCHEMA_VERSION, candidate_row

FEW_BYTES = 2**12
FULL_LOGS = 1000
"""So many logs of a run may be long. Those after them, and those of candidates that have not failed, are short."""
P = ParamSpec("P")
T = TypeVar("T")


def create_run(folder: Folder, description: Mapping[str, Any]) -> None:
    """Write run.json, once."""
    folder.create(RUN, to_document({"schema_version": SCHEMA_VERSION, **description}))


def record_measured(folder: Folder, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write down what candidates took that were measured again, beside what is there; once, and without the lock.

    Args:
        folder: of the run, which a search may be writing to.
        rows: candidate, message, metrics, conditions.

    Returns:
        The name of the file.
    """
    number = 1 + max([0, *(digits(name) for name in folder.names("measured") if name.startswith(FROM_COMMAND))])
    while True:
        name = f"measured/{FROM_COMMAND}{number:04d}.json"
        try:
            folder.create(name, to_document({"measured": list(rows)}))
            return name
        except FileExistsError:  # somebody else measured meanwhile
            number += 1


def mend_run(folder: Folder) -> None:
    """Write run.json again where it is damaged or lost, from its copy; what is damaged is kept in damaged/."""
    data = run_document(folder)
    try:
        present = folder.read(RUN)
    except FileNotFoundError:
        present = None
    if present == data:
        return
    if present is not None:
        with suppress(FileExistsError):  # an earlier start was interrupted here
            folder.create(f"damaged/{hashlib.sha256(present).hexdigest()[:8]}-{RUN}", present)
        folder.remove(RUN)
    folder.create(RUN, data)


def is_new(folder: Folder) -> bool:
    """Whether nothing is there but what a writer lays out before its first record."""
    return set(folder.names()) <= {*FOLDERS, LEASE, REUSED, *VOUCHED} and not any(map(folder.names, FOLDERS))


def _recorded(method: "Callable[Concatenate[Store, P], T]") -> "Callable[Concatenate[Store, P], T]":
    """A record that cannot be written ends the search, which goes on later from what was written."""

    @wraps(method)
    def checked(store: "Store", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(store, *args, **kwargs)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Halted(f"{store.folder} cannot be written: {reason}; what was recorded before is intact") from error

    return checked


class Store:
    """Records births, rungs and decisions in the journal, and generations as Parquet.

    Nothing is acted on before it is durable: `flush` comes before a job is dispatched. Each start of a search has a
    number, claimed by creating its file; a writer that finds a later one stops, and what it may have written at
    that moment does not count.

    Raises:
        UserError: another search is writing to the folder, and it is not to be taken over.
    """

    def __init__(self, folder: Folder, schema: pa.Schema, take_over: bool = False) -> None:
        self.folder = folder
        self._schema = schema
        self._lock = folder.lock(take_over)
        self._journal: Journal | None = None
        self._open: dict[int, dict[str, dict[str, Any]]] = {}  # candidate -> its journal entries, by kind
        self._weights: set[int] = set()
        self.checkpoints: dict[int, int] = {}
        """Candidates of whom there is a checkpoint -> its bytes."""
        self._logs: set[int] = set()
        self._generations = 0
        self._digest = ""  # of the newest manifest
        self._start = 0
        self._closed = False

    @_recorded
    def started(self, description: Mapping[str, Any]) -> None:
        """Claim the next start, and note with what budget, where and in which versions the search goes on."""
        self._start = 1 + last_start(self.folder)
        if self._start == 1:  # so that no file of a run is the only one that says what it says
            description = {**description, RUN_COPY: from_document(RUN, self.folder.read(RUN))}
        try:
            self.folder.create(f"starts/{self._start:04d}.json", to_document(description))
        except FileExistsError:
            raise Replaced(f"another search has just started on {self.folder}") from None

    @_recorded
    def ended(self, reason: str, late_results: int, elapsed_s: float, rest_usd: float = 0.0) -> None:
        """Note that the search came to its end, and did not just stop; its running time, and what it cost after its
        last evaluation, so that what is left of a budget is known where nothing was evaluated at its end."""
        self._check_start()
        found = {"ended": reason, "late_results": late_results, "elapsed_s": elapsed_s, "rest_usd": rest_usd}
        self.folder.create(f"starts/ended-{self._start:04d}.json", to_document(found))

    @_recorded
    def restore(self, recovered: Recovered) -> None:
        """Take up what was left open when the search last ended; what is damaged is set aside."""
        self._generations, self._digest = recovered.generations, recovered.tables.digest
        self._clear(aside=recovered.damage is not None)
        self._weights = {index for name in self.folder.names("weights") if (index := digits(name)) >= 0}
        for index in (digits(name) for name in self.folder.names("checkpoints")):
            if index >= 0:
                self.checkpoints[index] = len(self.checkpoint(index))
                if not self.checkpoints[index]:  # damaged: it is none
                    self.remove_checkpoint(index)
        self._logs = {index for name in self.folder.names("logs") if (index := digits(name)) >= 0}
        self._open = {row["candidate"]: {"evaluation": row} for row in recovered.rows}
        for candidate in recovered.pending:
            self._keep({"kind": "candidate", **candidate_row(candidate)})
        for report in recovered.reached:
            self._keep(_reached(report))
        self._journal = Journal(self.folder, self._start)
        self._checkpoint()

    def record_candidate(self, candidate: Candidate) -> None:
        self._record({"kind": "candidate", **candidate_row(candidate)})

    def reached(self, report: RungReport) -> None:
        self._record(_reached(report))

    def record_evaluation(self, row: Mapping[str, Any], elapsed_s: float) -> None:
        self._open.pop(row["candidate"], None)
        self._record({"kind": "evaluation", "elapsed_s": elapsed_s, **row})

    @_recorded
    def flush(self) -> None:
        if self._journal and self._journal.waiting:
            newest = max(map(digits, self.folder.names("starts")), default=0)
            if newest != self._start:  # one listing in the place of three, which a bucket takes its time for
                self._check_start()
            self._journal.flush()

    @_recorded
    def commit(
        self, indices: Sequence[int], first: int, population: Iterable[tuple[int, int, float]], elapsed_s: float
    ) -> None:
        """Make the next generation part of the record; the journal goes on with what is still open.

        indices: its candidates in order. first: position of the first of them. population: (candidate, rank,
        crowding) of each survivor, best first.
        """
        self._check_start()
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
            "evaluations": self._put(generation_name("evaluations", number), to_parquet(rows, self._schema)),
            "populations": self._put(generation_name("populations", number), to_parquet(members, POPULATIONS)),
        }
        manifest = {
            "generation": number,
            "start": self._start,
            "previous": self._digest,
            "rows": len(rows),
            "elapsed_s": elapsed_s,
            "sha256": digests,
        }
        self._digest = self._put(generation_name("manifest", number), to_document(manifest))  # the commit
        self._generations = number
        self._checkpoint()

    @_recorded
    def measured(self, found: Evaluation) -> None:
        """Note what a candidate took that was measured after the search, besides what its row says."""
        index = found.candidate.index
        row = {"candidate": index, "message": found.message}
        row |= {"metrics": dict(found.metrics), "conditions": dict(found.conditions)}
        self._check_start()
        self._put(f"measured/{self._start:04d}-{index:06d}.json", to_document({"measured": [row]}))

    @_recorded
    def save_weights(self, index: int, data: bytes) -> None:
        self._put(weights_name(index), data)
        self._weights.add(index)

    @_recorded
    def save_checkpoint(self, index: int, data: bytes) -> None:
        """Keep what the training of a candidate goes on from. It is no part of the record, and may be removed."""
        self._put(checkpoint_name(index), hashlib.sha256(data).digest() + data)
        self.checkpoints[index] = len(data)

    def checkpoint(self, index: int) -> bytes:
        """What the training of a candidate goes on from; empty where it is not there, or damaged."""
        try:
            kept = self.folder.read(checkpoint_name(index))
        except (OSError, UserError):
            return b""
        digest, data = kept[:32], kept[32:]
        return data if hashlib.sha256(data).digest() == digest else b""

    @_recorded
    def remove_checkpoint(self, index: int) -> None:
        """Nothing happens where there is none."""
        if self.checkpoints.pop(index, None) is not None:
            self._check_start()
            self.folder.remove(checkpoint_name(index))

    @_recorded
    def retrained(self, evaluation: Evaluation, message: str) -> None:
        """Keep the weights of a candidate that was trained again after the search, and what it reached then.

        Args:
            evaluation: of that training; without weights where it failed.
            message: in what it differs from the row, in one line; empty where it does not.
        """
        index, weights = evaluation.candidate.index, evaluation.weights
        if weights:
            self.save_weights(index, weights)
        found = {
            "candidate": index,
            "weights_sha256": hashlib.sha256(weights).hexdigest() if weights else "",
            "message": message,
            "metrics": dict(evaluation.curve[-1].metrics) if evaluation.curve else {},
            "conditions": dict(evaluation.conditions),
        }
        self._put(retrained_name(index), to_document(found))

    @_recorded
    def save_log(self, index: int, text: str, failed: bool) -> None:
        """Keep what a candidate printed and how it failed, the middle of much aside; nothing of an earlier try."""
        if text:
            most = MOST_BYTES if failed and len(self._logs) < FULL_LOGS else FEW_BYTES
            self._put(log_name(index), shortened(text, most).encode())
            self._logs.add(index)
        elif index in self._logs:
            self._check_start()
            self.folder.remove(log_name(index))
            self._logs.remove(index)

    @_recorded
    def keep_weights(self, indices: Collection[int]) -> None:
        """Remove the weights of every candidate known here that is not among `indices`. For right after a commit.

        A driver that is replaced between its look and the removal thus removes nothing of its successor's, which has
        read all the decisions by which this one removes.
        """
        self._check_start()
        for index in self._weights.difference(indices):
            self.folder.remove(weights_name(index))
        self._weights.intersection_update(indices)

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

    def _put(self, name: str, data: bytes) -> str:
        """Create a file; its SHA-256. One that is in the way was left by an interrupted or replaced driver."""
        self._check_start()
        try:
            self.folder.create(name, data)
        except FileExistsError:
            self.folder.remove(name)
            self.folder.create(name, data)
        return hashlib.sha256(data).hexdigest()

    def _check_start(self) -> None:
        """
        Raises:
            Replaced: a later start has taken the folder over.
            Halted: the folder is gone.
        """
        if RUN not in self.folder.names():
            raise Halted(f"{self.folder} was removed or moved while the search ran: it has no {RUN} any more")
        if last_start(self.folder) > self._start:
            raise Replaced(f"another search has taken over {self.folder}; this one records nothing any more")

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
            self.folder.create(f"damaged/{self._start:04d}-{name.replace('/', '-')}", self.folder.read(name))
        for name in beyond:
            self.folder.remove(name)


def to_parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink, compression="zstd", write_page_checksum=True)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _reached(report: RungReport) -> dict[str, Any]:
    return {
        "kind": "report",
        "candidate": report.index,
        "rung": report.rung,
        "metrics": dict(report.metrics),
    }
