"""A run that a new search begins with: its evaluations are fixed at the first start, and from then on a part of it."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from evonas.components import Components
from evonas.config import TrainingConfig
from evonas.driver.founders import Founder, all_founders, no_weights
from evonas.errors import UserError
from evonas.objectives.promotion import went_on
from evonas.records import Genome, Status
from evonas.reuse.rows import FROM_CANDIDATE, NotReusable, Translator, in_order
from evonas.reuse.sameness import other_targets, refusal
from evonas.runs.origin import made
from evonas.runs.run import Run
from evonas.store import (
    ORIGIN,
    Folder,
    is_run,
    open_folder,
    read_measured,
    read_retrained,
    read_reused,
    read_run,
    recover,
    refined_row,
    weights_name,
)
from evonas.text import counted


@dataclass(frozen=True, slots=True)
class Reuse:
    """What a search begins with.

    Args:
        founders: its first candidates.
        rows: what `reused.parquet` holds.
        origin: where that is from, as run.json says it: `run`, `id` and `founders`, genomes that are evaluated anew;
            empty of a search that begins by itself.
        notes: what a person should know of it before the search starts.
    """

    founders: tuple[Founder, ...] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def reuse(source: str | Path | None, folder: Folder, components: Components) -> Reuse:
    """What a search takes over; of one that has begun, what it took over then.

    Args:
        source: the earlier run; None: none.
        folder: of the search.
        components: of the search.

    Raises:
        UserError: nothing of the run can be re-used (names the first difference), the search was begun with another
            run, or a founder of the config is none of the space.
    """
    config, space, objectives = components.config, components.space, components.objectives
    if source is not None and _place(open_folder(source)) == _place(folder):
        raise UserError(
            f"--from {source} is the run itself; a larger budget goes on in it: evonas resume {folder} "
            "--set budget.evaluations=N"
        )
    if is_run(folder):
        description = read_run(folder)
        origin = description.get(ORIGIN) or {}
        _check_same(source, folder, origin)
        rows = read_reused(folder, description)
    elif source is None:
        return Reuse(all_founders(config, space))
    elif why := _alone(config.training):
        raise UserError(
            f"--from {source} takes over no evaluations {why}; its architectures can be: --founders {source}"
        )
    else:
        rows, origin, notes = _taken(source, components)
    genomes = [tuple(genome) for genome in origin.get("founders", ())]
    weights = partial(_weights, origin.get("run", ""))
    founders = made(rows, genomes, config, space, objectives, weights)
    return Reuse(founders, rows, origin, () if is_run(folder) else notes)


def _check_same(source: str | Path | None, folder: Folder, origin: Mapping[str, Any]) -> None:
    """
    Raises:
        UserError: the search was begun with another run, or without one.
    """
    if source is None and origin:
        raise UserError(
            f"{folder} was begun with --from {origin['run']}: give it again, or go on with: evonas resume {folder}"
        )
    if source is not None and not origin:
        raise UserError(f"{folder} was begun without --from: leave it out, or give another --run")
    if source is None or str(source) == origin["run"] or _id_or_none(source) == origin["id"]:
        return
    raise UserError(f"{folder} was begun with --from {origin['run']}, not {source}; give that, or another --run")


def run_id(folder: Folder) -> str:
    """The id of a run; that of one that an earlier evonas began, which has none, is its place.

    Raises:
        UserError: it is no run.
    """
    return str(read_run(folder).get("id") or _place(folder))


def _id_or_none(source: str | Path) -> str | None:
    """None where it cannot be read any more."""
    try:
        return run_id(open_folder(source))
    except (UserError, OSError):
        return None


def _taken(source: str | Path, components: Components) -> tuple[list[dict[str, Any]], dict[str, Any], tuple[str, ...]]:
    """The rows that are taken over, where they are from, and what a person should know of it."""
    there = open_folder(source)
    description = read_run(there)
    if why := refusal(there, description, components):
        raise UserError(f"{source} cannot be re-used: {why}")
    away = other_targets(description, components)
    translator = Translator(components, away, str(source))
    again = read_retrained(there)
    rows, why_not, left = [], Counter[str](), set[int]()
    for row in _rows(there, description):
        sha = row["weights_sha256"] or again.get(row["candidate"], {}).get("weights_sha256") or None
        found = translator.taken({**row, "weights_sha256": sha})
        if isinstance(found, NotReusable):
            why_not[found.why] += 1
            left.add(row["candidate"])
        else:
            rows.append(found)
    anew = [genome for candidate, genome in _front(there) if candidate in left]
    reasons = [*away.values(), *translator.other_devices.values()]
    origin = {"run": str(source), "id": run_id(there), "founders": [list(genome) for genome in anew]}
    return in_order(rows), origin, tuple(_notes(there, rows, why_not, len(anew), reasons))


def _alone(training: TrainingConfig) -> str:
    """Why a search takes no evaluations over; empty where it may."""
    if training.stopping == "pause":
        return "where training.stopping is pause"
    return "where training.rungs has 0, which decides by what was expected" if training.begins_at_0 else ""


def _rows(folder: Folder, description: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The evaluations of a run, by candidate, with what its search measured to the end after them; of a network whose
    training was paused and went on, the last."""
    later = {row["candidate"]: row for row in read_measured(folder, by_search=True) if not row["message"]}
    record = recover(folder, description["metrics"], description["targets"])
    committed = (row for table in record.tables.evaluations for row in table.to_pylist(maps_as_pydicts="strict"))
    rows = sorted((*committed, *record.rows), key=lambda row: int(row["candidate"]))
    gone = went_on((row["operator"], row["parents"]) for row in rows)
    for row in (row for row in rows if row["candidate"] not in gone):
        yield refined_row(row, later[row["candidate"]]) if row["candidate"] in later else row


def _front(folder: Folder) -> list[tuple[int, Genome]]:
    front = Run(folder).front()
    return [(int(row["candidate"]), tuple(map(int, row["genome"]))) for row in front.to_dict("records")]


def _notes(
    there: Folder, rows: Sequence[Mapping[str, Any]], why_not: Counter[str], anew: int, reasons: Sequence[str]
) -> Iterator[str]:
    total = len(rows) + why_not.total()
    kinds = Counter(row["status"] for row in rows)
    each = f" ({', '.join(f'{count:,} {status}' for status, count in kinds.items())})" if kinds else ""
    others = "; ".join(f"{count:,} {why}" for why, count in why_not.items())
    because = f" ({'; '.join(reasons)})" if reasons else ""
    yield f"{len(rows):,} of {counted(total, 'evaluation')} of {there} are re-used{each}" + (
        f"; not: {others}{because}" if others else ""
    )
    if kinds[Status.STOPPED]:
        yield "of those that were stopped there, those train on which the objectives and limits of this search let pass"
    if anew:
        yield f"{counted(anew, 'network')} of its front cannot be taken over and come first, to be evaluated anew"
    if there.is_locked():
        yield f"{there} is still running; what it has recorded by now is taken over"


def _weights(run: str, row: Mapping[str, Any]) -> Callable[[], bytes | None]:
    """What reads the weights of a row from the run that has evaluated it."""
    if not row["weights_sha256"]:
        return no_weights
    return partial(_kept, run, int(row["conditions"][FROM_CANDIDATE]), row["weights_sha256"])


def _kept(run: str, candidate: int, sha256: str) -> bytes | None:
    """The weights of a candidate; None where they are gone or others: then it is trained again."""
    try:
        data = open_folder(run).read(weights_name(candidate))
    except (OSError, UserError):
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _place(folder: Folder) -> str:
    where = str(folder)
    return where if "://" in where else os.path.realpath(where)
