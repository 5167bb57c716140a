"""What a run proves after a crash, for going on with its search: generations, the journal's rows and what was bred.

The journal's newest segment says how many generations there must be, and from which start later ones may come, so that
neither a removed generation nor one of a driver that had been replaced goes unnoticed.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from evonas.errors import UserError
from evonas.records import Candidate, Evaluation, RungReport
from evonas.store.documents import Damaged, read_document
from evonas.store.folder import Folder
from evonas.store.generations import Tables, tables_of
from evonas.store.journal import Entry, Segment, read_journal
from evonas.store.schema import candidate_from, evaluations_schema, from_row
from evonas.store.validation import check_entry


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
    rest_usd: float
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


def recover(folder: Folder, metrics: Sequence[str], targets: Sequence[str], salvage: bool = False) -> Recovered:
    """Everything evaluated, bred and reported, each once.

    salvage: where files are damaged, give what was recorded before the damage.

    Raises:
        UserError: a file is damaged or missing, unless it is to be salvaged.
    """
    segment = read_journal(folder)  # first: what a live search commits meanwhile is then seen twice
    tables, damage = tables_of(folder, segment, evaluations_schema(metrics, targets))
    damage = damage or (segment.damage if segment else None)
    try:
        check_entries(segment, metrics)
    except Damaged as wrong:
        raise refusal(folder, wrong, len(tables.evaluations)) from None
    if damage and not salvage:
        raise refusal(folder, damage, len(tables.evaluations))
    try:
        while gap := _gap(tables, segment):
            damage = damage or Damaged("journal", f"does not hold candidate {gap - 1}, which a generation came after")
            if not salvage:
                raise refusal(folder, damage, len(tables.evaluations) - 1)
            tables, _ = tables_of(folder, segment, evaluations_schema(metrics, targets), len(tables.evaluations) - 1)
        found = _recovered(tables, segment, damage, metrics)
        ends = _ends(folder)
        seconds = [float(end.get("elapsed_s", 0.0)) for end in ends]
        rest_usd = sum(float(end.get("rest_usd", 0.0)) for end in ends)
        return replace(found, elapsed_s=max(found.elapsed_s, *seconds), rest_usd=rest_usd)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"the record of {folder} is not of evonas's making: {type(error).__name__}: {error}") from None


def _ends(folder: Folder) -> list[Mapping[str, Any]]:
    """What the search noted each time when it came to its end."""
    known: list[Mapping[str, Any]] = [{}]
    for name in folder.names("starts"):
        if name.startswith("ended-"):
            with suppress(Damaged):  # `read_starts` names it
                known.append(read_document(folder, f"starts/{name}"))
    return known


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
    loose = by_candidate(entry for entry in journal if entry["kind"] == "evaluation")
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
        rest_usd=0.0,
        torn=bool(segment and segment.torn),
        damage=damage,
    )


def check_entries(segment: Segment | None, metrics: Sequence[str]) -> None:
    """
    Raises:
        Damaged: an entry of the journal is not what evonas writes.
    """
    for entry in segment.entries if segment else ():
        check_entry(segment.name, entry, [*metrics])  # type: ignore[union-attr]


def refusal(folder: Folder, damage: Damaged, generations: int) -> UserError:
    intact = f"generations 1-{generations} are intact" if generations else "no generation before it is intact"
    return UserError(
        f"{folder}/{damage.name} {damage.what}; {intact}: restore it from a copy, or let "
        f"`evonas resume {folder}` go on from there (what is damaged is set aside, nothing is deleted)"
    )


def by_candidate(entries: Iterable[Entry]) -> dict[int, Entry]:
    """The last entry of each candidate, in the order of those."""
    newest: dict[int, Entry] = {}
    for entry in entries:
        newest.pop(entry["candidate"], None)
        newest[entry["candidate"]] = entry
    return newest


def _progress(entry: Entry) -> RungReport:
    return RungReport(entry["candidate"], entry["rung"], entry["metrics"])
