"""The one schema of a run's tables, and the way between an evaluation and its row.

Units: metrics as in `Evaluation`; `latency_samples[T]` in ms; `*_s` in seconds; `*_at` in seconds since the epoch.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from evonas.records import Candidate, Epoch, Evaluation, RungReport, Status

SCHEMA_VERSION = 6

_TEXT, _REAL, _INT, _SHORT = pa.string(), pa.float64(), pa.int64(), pa.int32()
_METRICS = pa.map_(_TEXT, _REAL)
_LOSSES = ("train_loss", "valid_loss", "valid_metric")

POPULATIONS = pa.schema(
    [("generation", _SHORT), ("candidate", _INT), ("rank", _SHORT), ("crowding", _REAL)],
    metadata={"evonas_schema": str(SCHEMA_VERSION)},
)

TIMINGS = ("queued_s", "measure_s", "train_s", "paused_s", "started_at", "finished_at")
SPENT_USD, UNPRICED_S = "spent_usd", "unpriced_node_s"
"""The conditions of a row that say what all nodes cost since the row before (US dollars), and for how long there were
nodes without a price (s, of each node)."""
NON_REPRODUCIBLE = ("generation", "position", "predicted", "conditions", "attempts", *TIMINGS, "usd")
"""Columns that may differ between two runs of one search: when and where, not what; and what a strategy expected,
which is informational."""


def evaluations_schema(metrics: Sequence[str], targets: Sequence[str]) -> pa.Schema:
    """The columns of `evaluations`: one float column a metric, one list of raw samples a target.

    What each of them holds is said in `columns`.
    """
    return pa.schema(
        [
            ("candidate", _INT),
            ("generation", _SHORT),
            ("position", _INT),
            ("genome", pa.list_(_SHORT)),
            ("arch", _TEXT),
            ("arch_hash", _TEXT),
            ("parents", pa.list_(_INT)),
            ("operator", _TEXT),
            ("predicted", _METRICS),
            ("visible", _INT),
            ("seed", _INT),
            ("status", _TEXT),
            ("violation", _REAL),
            *((name, _REAL) for name in metrics),
            ("epochs", _SHORT),
            ("batch_size", _INT),
            ("curve", pa.list_(pa.struct([("epoch", _SHORT), *((name, _REAL) for name in _LOSSES)]))),
            ("rungs", pa.list_(pa.struct([("rung", _SHORT), ("metrics", _METRICS)]))),
            ("scores", pa.map_(_TEXT, pa.binary())),
            *((f"latency_samples[{target}]", pa.list_(pa.float32())) for target in targets),
            ("conditions", pa.map_(_TEXT, _TEXT)),
            ("attempts", _SHORT),
            ("message", _TEXT),
            ("weights_sha256", _TEXT),
            *((name, _REAL) for name in TIMINGS),
            ("usd", _REAL),
        ],
        metadata={"evonas_schema": str(SCHEMA_VERSION)},
    )


def to_row(evaluation: Evaluation, arch: str, arch_hash: str, violation: float) -> dict[str, Any]:
    """An evaluation as plain values by column, but for `generation` and `position`."""
    return {
        **candidate_row(evaluation.candidate),
        "arch": arch,
        "arch_hash": arch_hash,
        "status": evaluation.status.value,
        "violation": violation,
        **evaluation.metrics,
        "epochs": evaluation.curve[-1].epoch if evaluation.curve else 0,
        "batch_size": evaluation.batch_size,
        "curve": [{"epoch": e.epoch, **{name: getattr(e, name) for name in _LOSSES}} for e in evaluation.curve],
        "rungs": [{"rung": p.rung, "metrics": dict(p.metrics)} for p in evaluation.rungs],
        "scores": dict(evaluation.scores),
        **{f"latency_samples[{target}]": list(ms) for target, ms in evaluation.latency_samples.items()},
        "conditions": dict(evaluation.conditions),
        "attempts": evaluation.attempts,
        "message": evaluation.message,
        "weights_sha256": hashlib.sha256(evaluation.weights).hexdigest() if evaluation.weights else None,
        **{name: getattr(evaluation, name) for name in TIMINGS},
        "usd": evaluation.usd,
    }


def from_row(row: Mapping[str, Any], metrics: Sequence[str]) -> Evaluation:
    """The evaluation that a row holds (without weights, raw samples and scores)."""
    candidate = candidate_from(row)
    return Evaluation(
        candidate=candidate,
        status=Status(row["status"]),
        metrics={name: row[name] for name in metrics if row.get(name) is not None},
        curve=tuple(Epoch(**point) for point in row["curve"]),
        rungs=tuple(RungReport(candidate.index, r["rung"], r["metrics"]) for r in row["rungs"]),
        conditions=row["conditions"],
        batch_size=row["batch_size"],
        message=row["message"],
        attempts=row["attempts"],
        **{name: row[name] for name in TIMINGS},
        usd=row["usd"],
    )


def candidate_from(row: Mapping[str, Any]) -> Candidate:
    return Candidate(
        index=row["candidate"],
        genome=tuple(map(int, row["genome"])),
        parents=tuple(map(int, row["parents"])),
        operator=row["operator"],
        visible=row["visible"],
        seed=row["seed"],
        predicted=row["predicted"],
    )


def candidate_row(candidate: Candidate) -> dict[str, Any]:
    """A birth as plain values, by the same names as in a row."""
    return {
        "candidate": candidate.index,
        "genome": list(candidate.genome),
        "parents": list(candidate.parents),
        "operator": candidate.operator,
        "predicted": dict(candidate.predicted),
        "visible": candidate.visible,
        "seed": candidate.seed,
    }
