"""Reading a run: every file checked against its recorded SHA-256, nothing imported or unpickled.

Works on a live run: a generation counts once its manifest is there, and the journal's unfinished last line is
passed over. The journal's newest segment says how many generations there must be, and from which start later ones
may come, so that neither a removed generation nor one of a driver that had been replaced goes unnoticed.
"""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.errors import UserError
from evonas.records import Candidate, Evaluation, RungReport
from evonas.store.documents import Damaged, from_document, to_document
from evonas.store.folder import Folder, digits
from evonas.store.journal import Entry, Segment, read_journal, segments
from evonas.store.migration import (
    PREVIOUS,
    is_previous,
    migrate_config,
    migrate_description,
    migrate_row,
    migrate_table,
    with_later_keys,
)
from evonas.store.schema import POPULATIONS, SCHEMA_VERSION, candidate_from, evaluations_schema, from_row
from evonas.store.validation import (
    ManifestForm,
    MeasuredForm,
    RunForm,
    StartForm,
    check_document,
    check_entry,
    check_table,
)
from evonas.text import describe_error

RUN = "run.json"
FIRST_START, RUN_COPY = "starts/0001.json", "run"
"""Where the copy of run.json is, without its checksum."""
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


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a run proves, for going on with the search.

    evaluated: in the order that was recorded. committed: how many of them are in a generation. rows: those that are
    not. pending: candidates that were bred and not evaluated. reached: what those had reported. torn: the journal ends
    in half a line. damage: what is wrong beyond that; the rest is then what was recorded before it.
    """

    evaluated: list[Evaluation]
    committed: int
    generations: int
    rows: list[dict[str, Any]]
    pending: list[Candidate]
    reached: list[RungReport]
    elapsed_s: float
    tables: Tables
    torn: bool
    damage: Damaged | None

    def births(self) -> Iterator[tuple[Candidate, list[RungReport] | None]]:
        """Every candidate by index, with what it had reached where it was not evaluated."""
        reached: dict[int, list[RungReport]] = {candidate.index: [] for candidate in self.pending}
        for report in self.reached:
            reached[report.index].append(report)
        candidates = [*(evaluation.candidate for evaluation in self.evaluated), *self.pending]
        for candidate in sorted(candidates, key=lambda candidate: candidate.index):
            yield candidate, reached.get(candidate.index)


def read_run(folder: Folder) -> dict[str, Any]:
    """run.json of a run.

    Raises:
        UserError: there is none, it is damaged, or another version of evonas wrote it.
    """
    try:
        description = from_document(RUN, run_document(folder))
    except FileNotFoundError:
        raise UserError(f"{folder} is not a run folder: it has no {RUN}") from None
    except Damaged as damage:
        raise UserError(f"{folder}/{RUN} {damage.what}; restore it from a copy") from None
    version = description.get("schema_version")
    if version not in (SCHEMA_VERSION, PREVIOUS):
        raise UserError(
            f"{folder}/{RUN} has schema version {version}; this evonas reads versions {PREVIOUS} and {SCHEMA_VERSION}"
        )
    try:
        found = migrate_description(description) if version == PREVIOUS else description
        check_document(RUN, found, RunForm)
    except Damaged as damage:
        raise UserError(f"{folder}/{RUN} {damage.what}; restore it from a copy") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder}/{RUN} is damaged: {describe_error(error)}; restore it from a copy") from None
    return with_later_keys(found)


def run_document(folder: Folder) -> bytes:
    """run.json as it was written: the file, or where that is damaged or lost the copy of it in the first start.

    Raises:
        FileNotFoundError: there is neither.
    """
    try:
        data = folder.read(RUN)
        from_document(RUN, data)
    except FileNotFoundError:
        copy = _copy_of_run(folder)
        if copy is None:
            raise
        return copy
    except Damaged:
        return _copy_of_run(folder) or data
    return data


def has_own_description(folder: Folder) -> bool:
    """Whether run.json is there and intact, so that its copy is not needed."""
    try:
        return folder.read(RUN) == run_document(folder)
    except FileNotFoundError:
        return False


def _copy_of_run(folder: Folder) -> bytes | None:
    try:
        return to_document(_document(folder, FIRST_START)[RUN_COPY])
    except (FileNotFoundError, Damaged, KeyError, TypeError):
        return None


def is_run(folder: Folder) -> bool:
    return RUN in folder.names() or _copy_of_run(folder) is not None


def read_starts(folder: Folder) -> list[dict[str, Any]]:
    """How the search was started each time: budget, runtime, versions; `ended`, where it came to its end."""
    names = folder.names("starts")
    starts = []
    try:
        for name in names:
            if name.startswith("ended-"):
                continue
            start = _document(folder, f"starts/{name}")
            start.pop(RUN_COPY, None)
            ended = f"ended-{name}"
            whole = start | (_document(folder, f"starts/{ended}") if ended in names else {})
            check_document(f"starts/{name}", whole, StartForm)
            starts.append(migrate_config(whole))
    except Damaged as damage:
        raise UserError(f"{folder}/{damage.name} {damage.what}; restore it from a copy, or remove it") from None
    return starts


def read_measured(folder: Folder) -> list[dict[str, Any]]:
    """What candidates took that were measured after a search: candidate, message, metrics, conditions."""
    try:
        documents = []
        for name in folder.names("measured"):
            documents.append(_document(folder, f"measured/{name}"))
            check_document(f"measured/{name}", documents[-1], MeasuredForm)
    except Damaged as damage:
        raise UserError(f"{folder}/{damage.name} {damage.what}; restore it from a copy, or remove it") from None
    return [migrate_row(row) for document in documents for row in document["measured"]]


def last_start(folder: Folder) -> int:
    """Number of the newest start, also where its file is lost; 0 where there is none."""
    journal = (int(name.partition("-")[0]) for name in segments(folder))
    return max([0, *map(digits, folder.names("starts")), *journal])


def read_tables(folder: Folder, metrics: Sequence[str], targets: Sequence[str]) -> Tables:
    """The committed generations of a run, each file checked.

    Raises:
        UserError: a file is missing or differs from what was recorded; names it and says what is intact.
    """
    tables, damage = _tables(folder, read_journal(folder), evaluations_schema(metrics, targets))
    if damage:
        raise _refusal(folder, damage, len(tables.evaluations))
    return tables


def read_journal_rows(folder: Folder) -> list[dict[str, Any]]:
    """The evaluated candidates in the journal: all that are in no generation, and perhaps some that are.

    Raises:
        UserError: the journal is damaged.
    """
    segment = read_journal(folder)
    if segment and segment.damage:
        raise _refusal(folder, segment.damage, segment.generations)
    try:
        _check_entries(segment, read_run(folder)["metrics"])
    except Damaged as damage:
        raise _refusal(folder, damage, segment.generations if segment else 0) from None
    evaluated = (entry for entry in (segment.entries if segment else ()) if entry["kind"] == "evaluation")
    return list(_by_candidate(evaluated).values())


def recover(folder: Folder, metrics: Sequence[str], targets: Sequence[str], salvage: bool = False) -> Recovered:
    """Everything evaluated, bred and reported, each once.

    salvage: where files are damaged, give what was recorded before the damage.

    Raises:
        UserError: a file is damaged or missing, unless it is to be salvaged.
    """
    segment = read_journal(folder)  # first: what a live search commits meanwhile is then seen twice
    tables, damage = _tables(folder, segment, evaluations_schema(metrics, targets))
    damage = damage or (segment.damage if segment else None)
    try:
        _check_entries(segment, metrics)
    except Damaged as wrong:
        raise _refusal(folder, wrong, len(tables.evaluations)) from None
    if damage and not salvage:
        raise _refusal(folder, damage, len(tables.evaluations))
    try:
        while gap := _gap(tables, segment):
            damage = damage or Damaged("journal", f"does not hold candidate {gap - 1}, which a generation came after")
            if not salvage:
                raise _refusal(folder, damage, len(tables.evaluations) - 1)
            tables, _ = _tables(folder, segment, evaluations_schema(metrics, targets), len(tables.evaluations) - 1)
        found = _recovered(tables, segment, damage, metrics)
        return replace(found, elapsed_s=max(found.elapsed_s, _ended_s(folder)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the record of {folder} is not of evonas's making: {type(error).__name__}: {error}") from None


def _ended_s(folder: Folder) -> float:
    """Running time of the search when it last came to its end; 0 where that is not recorded."""
    known = [0.0]
    for name in folder.names("starts"):
        if name.startswith("ended-"):
            with suppress(Damaged):  # `read_starts` names it
                known.append(float(_document(folder, f"starts/{name}").get("elapsed_s", 0.0)))
    return max(known)


def _gap(tables: Tables, segment: Segment | None) -> int:
    """1 + the first candidate that is missing though a generation holds a later one; 0 where there is none.

    Generations are in order of arrival in async mode: one may be intact and yet hold what came after a lost birth.
    """
    committed = {index for table in tables.evaluations for index in table["candidate"].to_pylist()}
    known = committed | {int(entry["candidate"]) for entry in (segment.entries if segment else ())}
    missing = next(index for index in itertools.count() if index not in known)
    return missing + 1 if max(committed, default=-1) > missing else 0


def _recovered(tables: Tables, segment: Segment | None, damage: Damaged | None, metrics: Sequence[str]) -> Recovered:
    entries = segment.entries if segment else ()
    rows = [row for table in tables.evaluations for row in table.to_pylist(maps_as_pydicts="strict")]
    committed = {row["candidate"] for row in rows}
    known = committed | {int(entry["candidate"]) for entry in entries}
    end = next(index for index in itertools.count() if index not in known)
    # What a damaged file leaves beyond a gap is bred and evaluated again.
    journal = [entry for entry in entries if entry["candidate"] not in committed and entry["candidate"] < end]
    loose = _by_candidate(entry for entry in journal if entry["kind"] == "evaluation")
    open_entries = [entry for entry in journal if entry["candidate"] not in loose]
    bred = {entry["candidate"]: candidate_from(entry) for entry in open_entries if entry["kind"] == "candidate"}
    reached = {(e["candidate"], e["rung"]): _progress(e) for e in open_entries if e["kind"] == "report"}
    return Recovered(
        evaluated=[from_row(row, metrics) for row in (*rows, *loose.values())],
        committed=len(rows),
        generations=len(tables.evaluations),
        rows=list(loose.values()),
        pending=sorted(bred.values(), key=lambda candidate: candidate.index),
        reached=list(reached.values()),
        tables=tables,
        elapsed_s=max([tables.elapsed_s, *(entry["elapsed_s"] for entry in loose.values())]),
        torn=bool(segment and segment.torn),
        damage=damage,
    )


def _check_entries(segment: Segment | None, metrics: Sequence[str]) -> None:
    """
    Raises:
        Damaged: an entry of the journal is not what evonas writes.
    """
    for entry in segment.entries if segment else ():
        check_entry(segment.name, entry, [*metrics])  # type: ignore[union-attr]


def weights_name(index: int) -> str:
    return f"weights/{index:06d}.safetensors"


def generation_name(kind: str, generation: int) -> str:
    """kind: manifest, evaluations or populations."""
    return f"{kind}/generation-{generation:05d}.{'json' if kind == 'manifest' else 'parquet'}"


def _tables(
    folder: Folder, segment: Segment | None, schema: pa.Schema, most: int | None = None
) -> tuple[Tables, Damaged | None]:
    """The generations before the first that is damaged, `most` at most, and what is wrong with that one."""
    evaluations: list[pa.Table] = []
    populations: list[pa.Table] = []
    elapsed, chain, damage = 0.0, _digest(run_document(folder)), None
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
    return entry, _digest(data)


def _parquet(folder: Folder, generation: int, kind: str, manifest: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    name = generation_name(kind, generation)
    try:
        data = folder.read(name)
    except FileNotFoundError:
        raise Damaged(name, "is missing") from None
    if _digest(data) != manifest["sha256"].get(kind):
        raise Damaged(name, "is damaged: its SHA-256 is not the recorded one")
    table = _unpacked(name, data, manifest["rows"] if kind == "evaluations" else MOST_ROWS)
    if is_previous(table.schema):
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


def _unpacked(name: str, data: bytes, rows: int) -> pa.Table:
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
            return file.read()  # read_table, for datasets, takes twice as long
        batches, taken = [], 0
        for batch in file.iter_batches(batch_size=max(1, UNPACKED_BYTES // (16 * max(size, 1)))):
            taken += batch.nbytes
            if taken > UNPACKED_BYTES:
                raise Damaged(name, f"is damaged: it unpacks to more than {UNPACKED_BYTES:,} bytes")
            batches.append(batch)
        return pa.Table.from_batches(batches, file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise Damaged(name, f"is damaged: it is not Parquet ({str(error).splitlines()[0]})") from None


def _refusal(folder: Folder, damage: Damaged, generations: int) -> UserError:
    intact = f"generations 1-{generations} are intact" if generations else "no generation before it is intact"
    return UserError(
        f"{folder}/{damage.name} {damage.what}; {intact}: restore it from a copy, or let "
        f"`evonas resume {folder}` go on from there (what is damaged is set aside, nothing is deleted)"
    )


def _document(folder: Folder, name: str) -> dict[str, Any]:
    return from_document(name, folder.read(name))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _by_candidate(entries: Iterable[Entry]) -> dict[int, Entry]:
    """The last entry of each candidate, in the order of those."""
    newest: dict[int, Entry] = {}
    for entry in entries:
        newest.pop(entry["candidate"], None)
        newest[entry["candidate"]] = entry
    return newest


def _progress(entry: Entry) -> RungReport:
    return RungReport(entry["candidate"], entry["rung"], entry["metrics"])
