"""Derive a run again from what it recorded, and name the first difference.

Nothing is evaluated: the recorded evaluations are told to the same buffer and strategy, which must give the recorded
genomes, parents, stop decisions and survivors.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import pyarrow as pa

from evonas.config import Config
from evonas.driver.breeding import Breeder
from evonas.driver.founders import Founder, is_reused, settled_rungs
from evonas.errors import UserError
from evonas.objectives.before_training import is_stopped_before, report_before
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import BEFORE, Objectives
from evonas.objectives.promotion import promoted_to
from evonas.records import Candidate, Epoch, Evaluation, Job, RungReport, Status
from evonas.runs.origin import founders_of
from evonas.spaces.space import Space
from evonas.store import (
    Folder,
    Recovered,
    Tables,
    has_own_description,
    read_measured,
    read_retrained,
    read_starts,
    recover,
    weights_name,
)
from evonas.store.folder import REUSED, digits
from evonas.strategies import Exhausted

_WEIGHTS = ["candidate", "weights_sha256"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a run found.

    Args:
        difference: the first thing that does not follow from the record; empty where all does.
        recounted: candidates whose network was built again and has as many parameters as its row says.
        bred: whether births were derived too; else the strategy is not exact, and they are taken as recorded.
    """

    candidates: int
    generations: int
    difference: str = ""
    recounted: int = 0
    bred: bool = True


class _Differs(Exception):
    pass


def verify(folder: Folder, config: Config, space: Space, objectives: Objectives) -> Verdict:
    """Check a run folder.

    Raises:
        UserError: a file is missing or damaged.
    """
    record = recover(folder, objectives.metrics, objectives.targets)
    if not has_own_description(folder):
        raise UserError(f"{folder}/run.json is damaged or lost; `evonas resume {folder}` writes its copy in its place")
    read_starts(folder)  # every file of the record is looked at
    read_measured(folder)
    read_retrained(folder)
    tables = record.tables
    breeder = Breeder(config, space, objectives, founders_of(folder, config, space, objectives))
    try:
        for evaluation in record.evaluated:
            breeder.buffer.add_evaluation(evaluation)
        for report in record.reached:
            breeder.buffer.add_report(report)
        _check_rows(record, space, objectives)
        _check_births(record, breeder, objectives)
        _check_populations(tables, breeder)
        _check_weights(folder, record, breeder)
    except _Differs as difference:
        return Verdict(len(record.evaluated), record.generations, str(difference), bred=breeder.strategy.exact)
    return Verdict(len(record.evaluated), record.generations, bred=breeder.strategy.exact)


def _epochs(row: dict[str, Any]) -> int:
    """The last one of the curve. Tables that have no point an epoch recorded the number of points once."""
    curve = row["curve"]
    return len(curve) if row["epochs"] == len(curve) or not curve else int(curve[-1]["epoch"])


def _check_births(record: Recovered, breeder: Breeder, objectives: Objectives) -> None:
    """Breed every candidate anew; where the strategy is not exact, take its choice as recorded."""
    evaluated = {evaluation.candidate.index: evaluation for evaluation in record.evaluated}
    for candidate, _ in record.births():
        if candidate.index != breeder.next:
            raise _Differs(f"candidate {breeder.next} is missing")
        founder = breeder.founder(candidate.index)
        try:
            derived = breeder.strategy.exact or founder is not None
            job = breeder.breed(candidate.visible) if derived else breeder.follow(candidate)
        except Exhausted as reason:
            raise _Differs(f"candidate {candidate.index} exists, but {reason}") from None
        _compare(candidate, job.candidate)
        if candidate.index in evaluated:
            _check_reused(evaluated[candidate.index], founder)
            _check_promoted(evaluated[candidate.index], evaluated, objectives)
            _check_stop(evaluated[candidate.index], job, objectives, settled_rungs(founder))


def _check_reused(evaluation: Evaluation, founder: Founder | None) -> None:
    """What another run had found out stands as it was taken over."""
    known = founder.known if founder else None
    if known is None:
        return
    whole = is_reused(evaluation, founder) or known.status is not Status.STOPPED
    for name in ("status", "metrics", "rungs", "curve", "batch_size") if whole else ("rungs",):
        have, want = getattr(evaluation, name), getattr(known, name)
        if not _is_same(have if whole else have[: len(want)], want):
            raise _Differs(f"candidate {evaluation.candidate.index}: {name} is not what {REUSED} has")


def _check_promoted(evaluation: Evaluation, evaluated: Mapping[int, Evaluation], objectives: Objectives) -> None:
    """What a candidate was promoted with is what its parent had reached."""
    if not (begins := promoted_to(evaluation.candidate)):
        return
    parent = evaluation.candidate.parents[0]
    for own, known in zip(evaluation.rungs[:begins], evaluated[parent].rungs, strict=False):
        if _columns(own.metrics, objectives) != _columns(known.metrics, objectives):
            raise _Differs(
                f"candidate {evaluation.candidate.index}: what it has at rung {own.rung} is not what candidate "
                f"{parent}, which it promotes, had reached there"
            )


def _compare(recorded: Candidate, derived: Candidate) -> None:
    for field in (field for field in fields(Candidate) if field.compare):
        have, want = getattr(recorded, field.name), getattr(derived, field.name)
        if have != want:
            raise _Differs(f"candidate {recorded.index}: {field.name} is {have}, but the record gives {want}")


def _check_stop(evaluation: Evaluation, job: Job, objectives: Objectives, settled: int) -> None:
    """A candidate stopped exactly where it was outside the cutoff of a rung, those aside that it had passed before."""
    last, begins = len(job.cutoffs), promoted_to(evaluation.candidate) or 0
    for report in evaluation.rungs:
        stopped = evaluation.status is Status.STOPPED and report is evaluation.rungs[-1]
        if objectives.before and report.rung == 0:
            if not settled and not begins:
                _check_before(report, stopped, job, objectives)
            continue
        if settled <= report.rung < last and stopped != _ends_at(report, job, objectives):
            verb = "stopped at" if stopped else "passed"
            which = "its cutoff does not give" if job.pause is None else "is not as it is paused"
            raise _Differs(f"candidate {evaluation.candidate.index} {verb} rung {report.rung}, which {which}")
    reached = evaluation.rungs[-1].rung if evaluation.rungs else -1
    fits = {Status.OK: reached == last, Status.STOPPED: begins <= reached < last}
    if not fits.get(evaluation.status, True):
        raise _Differs(f"candidate {evaluation.candidate.index} is {evaluation.status}, but not by its rungs")


def _ends_at(report: RungReport, job: Job, objectives: Objectives) -> bool:
    """Whether a candidate is paused at a rung, or outside its cutoff."""
    return report.rung == job.pause or is_stopped(objectives.fitness(report), job.cutoffs[report.rung])


def _check_before(report: RungReport, stopped: bool, job: Job, objectives: Objectives) -> None:
    """What was expected, and that the candidate was stopped before training exactly where that says so."""
    costs = {name: value for name, value in report.metrics.items() if not name.startswith(BEFORE)}
    try:
        derived = _columns(report_before(job, costs, objectives).metrics, objectives)
    except ValueError as error:  # what the decision needs is not there
        raise _Differs(f"candidate {report.index}: {error}") from None
    for name in sorted({*derived, *report.metrics}):
        have, want = report.metrics.get(name), derived.get(name)
        if have is None or want is None or not math.isclose(have, want, rel_tol=1e-6, abs_tol=1e-9):
            raise _Differs(f"candidate {report.index}: {name} at rung 0 is {have}, but the record gives {want}")
    if stopped != is_stopped_before(report, job, objectives):
        verb = "was stopped before training" if stopped else "was trained"
        raise _Differs(f"candidate {report.index} {verb}, which rung 0 does not give")


def _check_rows(record: Recovered, space: Space, objectives: Objectives) -> None:
    """What a row says follows from its genome and from what the candidate had reached last."""
    committed = (row for table in record.tables.evaluations for row in table.to_pylist(maps_as_pydicts="strict"))
    for row in (*committed, *record.rows):
        genome = tuple(row["genome"])
        metrics = {name: row[name] for name in objectives.metrics if row.get(name) is not None}
        derived = {
            "arch": json.dumps(space.decode(genome).to_dict()),
            "arch_hash": space.identity(genome),
            "violation": objectives.violation(metrics),
            "epochs": _epochs(row),
        }
        if row["status"] in (Status.OK, Status.STOPPED):
            derived |= _columns(row["rungs"][-1]["metrics"], objectives)
        for name, value in derived.items():
            if row.get(name) != value:
                raise _Differs(f"candidate {row['candidate']}: {name} is {row[name]}, but it has {value}")
        if row["status"] == Status.INFEASIBLE and (row["rungs"] or not row["violation"]):
            raise _Differs(f"candidate {row['candidate']} is infeasible, but within its limits")


def _columns(metrics: Mapping[str, float], objectives: Objectives) -> dict[str, float]:
    """What is recorded of metrics. In `rungs`, runs of before have what is no column, too."""
    return {name: value for name, value in metrics.items() if name in objectives.metrics and math.isfinite(value)}


def _is_same(have: Any, want: Any) -> bool:
    """Whether two parts of a record are equal, NaN being equal to NaN."""
    if isinstance(have, float) and isinstance(want, float):
        return have == want or (math.isnan(have) and math.isnan(want))
    if isinstance(have, list | tuple) and isinstance(want, list | tuple):
        return len(have) == len(want) and all(map(_is_same, have, want))
    if isinstance(have, Epoch) and isinstance(want, Epoch):
        return _is_same(astuple(have), astuple(want))
    return bool(have == want)


def _check_populations(tables: Tables, breeder: Breeder) -> None:
    end = 0
    for number, (evaluations, population) in enumerate(zip(tables.evaluations, tables.populations, strict=True), 1):
        block = evaluations["candidate"].to_pylist()
        if block != breeder.buffer.order[end : end + len(block)]:
            raise _Differs(f"generation {number} holds candidates {block} out of order")
        if evaluations["position"].to_pylist() != list(range(end, end + len(block))):
            raise _Differs(f"generation {number} has other positions than its place gives")
        if set(evaluations["generation"].to_pylist()) | set(population["generation"].to_pylist()) != {number}:
            raise _Differs(f"generation {number} holds rows of another")
        end += len(block)
        survivors = [(s.index, s.rank, s.crowding) for s in breeder.population(end)]
        for have, want in zip(_members(population), survivors, strict=False):
            if not _is_same(have, want):
                raise _Differs(f"generation {number}: survivor {have[0]} (rank {have[1]}) should be {want[0]}")
        if population.num_rows != len(survivors):
            raise _Differs(f"generation {number} has {population.num_rows} survivors instead of {len(survivors)}")


def _check_weights(folder: Folder, record: Recovered, breeder: Breeder) -> None:
    """The networks of the front are there, and no file of weights is another's.

    Raises:
        UserError: a file is damaged.
    """
    rows = [row for table in record.tables.evaluations for row in table.select(_WEIGHTS).to_pylist()]
    recorded = {row["candidate"]: row["weights_sha256"] for row in (*rows, *record.rows)}
    there = folder.names("weights")
    recorded |= {index: found["weights_sha256"] for index, found in read_retrained(folder).items()}
    for index in (fitness.index for fitness in breeder.buffer.front):
        if recorded[index] and weights_name(index).partition("/")[2] not in there:
            raise _Differs(f"candidate {index} is on the front, but {weights_name(index)} is missing")
    for name in there:
        digest = recorded.get(digits(name))
        if digest and hashlib.sha256(folder.read(f"weights/{name}")).hexdigest() != digest:
            raise UserError(f"{folder}/weights/{name} is damaged: its SHA-256 is not the recorded one")


def _members(population: pa.Table) -> list[tuple[int, int, float]]:
    return [(row["candidate"], row["rank"], row["crowding"]) for row in population.to_pylist()]
