"""Reading a run folder: every file checked against its recorded SHA-256, nothing imported or unpickled.

Works on a live run: a generation counts once its manifest is there, and the journal's unfinished last line is
passed over.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.records import Candidate, Evaluation, Progress, UserError
from evonas.store.journal import Entry, read_journal
from evonas.store.schema import SCHEMA_VERSION, candidate_from, from_row


@dataclass(frozen=True, slots=True)
class Tables:
    """The committed generations. elapsed_s: running time of the search up to the last of them."""

    evaluations: list[pa.Table] = field(default_factory=list)
    populations: list[pa.Table] = field(default_factory=list)
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a run folder proves, for going on with the search.

    decided: in the order that was recorded. committed: how many of them are in a generation. rows: those that are
    not. born: candidates that were not decided. reached: what those had reported.
    """

    decided: list[Evaluation]
    committed: int
    generations: int
    rows: list[dict[str, Any]]
    born: list[Candidate]
    reached: list[Progress]
    elapsed_s: float
    tables: Tables

    def births(self) -> Iterator[tuple[Candidate, list[Progress] | None]]:
        """Every candidate by index, with what it had reached where it was not decided."""
        reached: dict[int, list[Progress]] = {candidate.index: [] for candidate in self.born}
        for progress in self.reached:
            reached[progress.index].append(progress)
        candidates = [*(evaluation.candidate for evaluation in self.decided), *self.born]
        for candidate in sorted(candidates, key=lambda candidate: candidate.index):
            yield candidate, reached.get(candidate.index)


def read_run(folder: Path) -> dict[str, Any]:
    """run.json of a run folder.

    Raises:
        UserError: there is none, it is damaged, or another version of evonas wrote it.
    """
    path = folder / "run.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder} is not a run folder: it has no run.json") from None
    except ValueError:
        raise UserError(f"{path} is damaged: it is not JSON; restore it from a copy") from None
    version = description.get("schema_version") if isinstance(description, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(f"{path} has schema version {version}; this evonas reads version {SCHEMA_VERSION}")
    return dict(description)


def read_starts(folder: Path) -> list[dict[str, Any]]:
    """How the search was started each time: budget, runtime, versions; `ended`, where it came to its end."""
    starts = []
    for path in sorted((folder / "starts").glob("[0-9]*.json")):
        ended = path.with_name(f"ended-{path.name}")
        starts.append(_json(path) | (_json(ended) if ended.exists() else {}))
    return starts


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise UserError(f"{path} is damaged: it is not JSON; restore it from a copy") from None


def read_tables(folder: Path) -> Tables:
    """The committed generations of a run, each file checked.

    Raises:
        UserError: a file is missing or differs from what was recorded; names it and says what is intact.
    """
    tables, elapsed, chain = Tables(), 0.0, None
    for generation in range(1, 1 + len(list((folder / "manifest").glob("generation-*.json")))):
        entry, digest = _manifest(folder, generation)
        if entry["previous"] != chain:
            raise _damaged(folder, generation, "manifest", "does not follow the manifest before it")
        chain, elapsed = digest, float(entry["elapsed_s"])
        for name, kind in (("evaluations", tables.evaluations), ("populations", tables.populations)):
            kind.append(_parquet(folder, generation, name, entry["sha256"].get(name)))
    return Tables(tables.evaluations, tables.populations, elapsed)


def read_journal_rows(folder: Path) -> list[dict[str, Any]]:
    """The decided candidates in the journal: all that are in no generation, and perhaps some that are."""
    decided = (entry for entry in read_journal(folder / "journal") if entry["kind"] == "decided")
    return list(_newest(decided).values())


def recover(folder: Path, metrics: Sequence[str]) -> Recovered:
    """Everything decided, born and reached, each once."""
    entries = read_journal(folder / "journal")  # first: what a live search commits meanwhile is then seen twice
    tables = read_tables(folder)
    rows = [row for table in tables.evaluations for row in table.to_pylist(maps_as_pydicts="strict")]
    committed = {row["candidate"] for row in rows}
    known = committed | {entry["candidate"] for entry in entries}
    end = next(index for index in itertools.count() if index not in known)
    if max(committed, default=-1) > end:
        raise UserError(
            f"{folder}: candidate {end} is missing, and later ones are in a generation; restore the journal"
        )
    # Candidates beyond a gap, as it is left where damaged files were moved away, are bred and evaluated again.
    journal = [entry for entry in entries if entry["candidate"] not in committed and entry["candidate"] < end]
    loose = _newest(entry for entry in journal if entry["kind"] == "decided")
    undecided = [entry for entry in journal if entry["candidate"] not in loose]
    born = {entry["candidate"]: candidate_from(entry) for entry in undecided if entry["kind"] == "born"}
    reached = {(e["candidate"], e["rung"]): _progress(e) for e in undecided if e["kind"] == "reached"}
    return Recovered(
        decided=[from_row(row, metrics) for row in (*rows, *loose.values())],
        committed=len(rows),
        generations=len(tables.evaluations),
        rows=list(loose.values()),
        born=sorted(born.values(), key=lambda candidate: candidate.index),
        reached=list(reached.values()),
        tables=tables,
        elapsed_s=max([tables.elapsed_s, *(entry["elapsed_s"] for entry in loose.values())]),
    )


def _newest(entries: Iterable[Entry]) -> dict[int, Entry]:
    """By candidate, in the order of the newest segment: a crash may leave an entry in an older one as well."""
    newest: dict[int, Entry] = {}
    for entry in entries:
        newest.pop(entry["candidate"], None)
        newest[entry["candidate"]] = entry
    return newest


def weights_path(folder: Path, index: int) -> Path:
    return folder / "weights" / f"{index:06d}.safetensors"


def generation_name(generation: int) -> str:
    return f"generation-{generation:05d}"


def _progress(entry: Entry) -> Progress:
    return Progress(entry["candidate"], entry["rung"], entry["metrics"])


def _manifest(folder: Path, generation: int) -> tuple[Mapping[str, Any], str]:
    path = folder / "manifest" / f"{generation_name(generation)}.json"
    try:
        data = path.read_bytes()
        entry = json.loads(data)
        complete = {"previous", "elapsed_s", "sha256"} <= entry.keys()
    except FileNotFoundError:
        raise _damaged(folder, generation, "manifest", "is missing") from None
    except (ValueError, AttributeError):
        complete = False
    if not complete:
        raise _damaged(folder, generation, "manifest", "is damaged: it is not a manifest")
    return entry, hashlib.sha256(data).hexdigest()


def _parquet(folder: Path, generation: int, name: str, digest: str | None) -> pa.Table:
    path = folder / name / f"{generation_name(generation)}.parquet"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _damaged(folder, generation, name, "is missing") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged(folder, generation, name, "is damaged: its SHA-256 is not the recorded one")
    return pq.read_table(pa.BufferReader(data))


def _damaged(folder: Path, generation: int, name: str, what: str) -> UserError:
    path = folder / name / f"{generation_name(generation)}.{'json' if name == 'manifest' else 'parquet'}"
    intact = f"generations 1-{generation - 1} are" if generation > 1 else "no generation before it is"
    return UserError(
        f"{path} {what}; {intact} intact: to go on from there, move the files of generation {generation} and later "
        f"out of manifest/, evaluations/ and populations/, or restore this file from a copy"
    )
