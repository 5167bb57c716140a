"""Reading a run, a live one too: every file is checked, nothing is imported or unpickled.

A generation counts once its manifest is there, and the journal's unfinished last line is passed over.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evonas.errors import UserError
from evonas.store.description import RUN_COPY, read_run
from evonas.store.documents import Damaged, read_document
from evonas.store.folder import Folder, digits
from evonas.store.generations import Tables, tables_of
from evonas.store.journal import read_journal
from evonas.store.migration import migrate_config
from evonas.store.recovery import by_candidate, check_entries, refusal
from evonas.store.schema import evaluations_schema
from evonas.store.validation import RetrainedForm, StartForm, check_document


def as_last_started(config: Mapping[str, Any], starts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The config of a run with the places where its last starts found its data and its supernet, which may have moved.

    Args:
        config: of run.json.
        starts: as `read_starts` gives them.
    """
    found = dict(config)
    for start in starts:
        if start.get("data_path"):
            found["task"] = {**found["task"], "path": start["data_path"]}
        if start.get("supernet_path"):
            found["training"] = {**found["training"], "supernet": start["supernet_path"]}
    return found


def read_starts(folder: Folder) -> list[dict[str, Any]]:
    """How the search was started each time: budget, runtime, versions; `ended`, where it came to its end."""
    names = folder.names("starts")
    starts = []
    try:
        for name in names:
            if name.startswith("ended-"):
                continue
            start = read_document(folder, f"starts/{name}")
            start.pop(RUN_COPY, None)
            ended = f"ended-{name}"
            whole = start | (read_document(folder, f"starts/{ended}") if ended in names else {})
            check_document(f"starts/{name}", whole, StartForm)
            starts.append(migrate_config(whole))
    except Damaged as damage:
        raise UserError(f"{folder}/{damage.name} {damage.what}; restore it from a copy, or remove it") from None
    return starts


def import_options(folder: Folder) -> str:
    """What a command line needs besides, for a run with parts of the user's own: " --import my_net", or nothing."""
    names = dict.fromkeys(name for start in read_starts(folder) for name in start.get("modules", ()))
    return "".join(f" --import {shlex.quote(name)}" for name in names)


def read_retrained(folder: Folder) -> dict[int, dict[str, Any]]:
    """What was trained again after a search, by candidate: weights_sha256 (empty: it failed), message, metrics,
    conditions."""
    found: dict[int, dict[str, Any]] = {}
    try:
        for name in folder.names("retrained"):
            document = read_document(folder, f"retrained/{name}")
            check_document(f"retrained/{name}", document, RetrainedForm)
            found[document["candidate"]] = document
    except Damaged as damage:
        raise UserError(f"{folder}/{damage.name} {damage.what}; restore it from a copy, or remove it") from None
    return found


def kept_weights(folder: Folder) -> set[int]:
    """The candidates of a run that has ended whose weights are there and recorded, in their row or by a training after
    the search; a file that an interrupted training has left is not."""
    description = read_run(folder)
    tables = read_tables(folder, description["metrics"], description["targets"]).evaluations
    recorded = [*read_retrained(folder).values()]
    for table in tables:
        recorded += table.select(["candidate", "weights_sha256"]).to_pylist()
    return {row["candidate"] for row in recorded if row["weights_sha256"]} & set(map(digits, folder.names("weights")))


def read_tables(folder: Folder, metrics: Sequence[str], targets: Sequence[str]) -> Tables:
    """The committed generations of a run, each file checked.

    Raises:
        UserError: a file is missing or differs from what was recorded; names it and says what is intact.
    """
    tables, damage = tables_of(folder, read_journal(folder), evaluations_schema(metrics, targets))
    if damage:
        raise refusal(folder, damage, len(tables.evaluations))
    return tables


def read_journal_rows(folder: Folder) -> list[dict[str, Any]]:
    """The evaluated candidates in the journal: all that are in no generation, and perhaps some that are.

    Raises:
        UserError: the journal is damaged.
    """
    segment = read_journal(folder)
    if segment and segment.damage:
        raise refusal(folder, segment.damage, segment.generations)
    try:
        check_entries(segment, read_run(folder)["metrics"])
    except Damaged as damage:
        raise refusal(folder, damage, segment.generations if segment else 0) from None
    evaluated = (entry for entry in (segment.entries if segment else ()) if entry["kind"] == "evaluation")
    return list(by_candidate(evaluated).values())
