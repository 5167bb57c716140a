"""The decision before training: a network is built and measured, and what training would give is only expected.

What it costs is known exactly and what it would reach comes from a stand-in, so that the two together say whether a
training is likely to be worth it. The same function decides on a worker and when a run is verified.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.gain import REFERENCE, Matrix, worths
from evonas.objectives.objectives import BEFORE, INHERITED, Objectives
from evonas.objectives.score_ranks import known, placed, scores_of
from evonas.records import Before, Job, RungReport


def report_before(job: Job, costs: Mapping[str, float], objectives: Objectives) -> RungReport:
    """What is known of a candidate at rung 0.

    Args:
        job: of it, with what was known at its birth.
        costs: what was measured.
        objectives: of the search.

    Returns:
        The costs, and what is expected: `before.COLUMN` in the column's unit, `before.gain` and the `before.threshold`
        that it needs, and `before.always`, 1 where nothing of it counts.
    """
    before = job.before
    assert before, "a job of a search with rung 0 says what decides there"
    own = {BEFORE + key: value for key, value in _expected(before, costs, objectives).items()}
    if before.hopeful and before.front:
        own |= {BEFORE + "gain": _gain(before, costs, objectives)}
        if math.isfinite(before.threshold):
            own[BEFORE + "threshold"] = before.threshold
    return RungReport(job.candidate.index, 0, {**costs, **own, BEFORE + "always": float(before.always)})


def is_stopped_before(report: RungReport, job: Job, objectives: Objectives) -> bool:
    """Whether a candidate is not worth its training. What nothing is expected of is trained.

    Args:
        report: from `report_before`.
        job: of it.
        objectives: of the search.
    """
    before, metrics = job.before, report.metrics
    assert before, "a job of a search with rung 0 says what decides there"
    if before.always:
        return False
    if before.rule == "cutoff":
        fitness = objectives.fitness(report)
        return bool(fitness.values) and is_stopped(fitness, job.cutoffs[0])
    return metrics.get(BEFORE + "gain", 0.0) < metrics.get(BEFORE + "threshold", -math.inf)


def _expected(before: Before, costs: Mapping[str, float], objectives: Objectives) -> Mapping[str, float]:
    """Of a metric and of ranks more is better, whatever they stand in for; with inherited weights it is the same metric
    that training gives."""
    if objectives.by_supernet:
        keys = [one.key for one in objectives.objectives if one.trained]
        return {key: known(costs, INHERITED + key.partition("[")[0]) for key in keys}
    if not (before.metric or before.scores):
        return before.expected
    signs = {one.key: one.sign for one in objectives.objectives if one.trained}
    worth = placed(before.scores, scores_of(costs)) if before.scores else known(costs, before.metric)
    return {key: 0.0 - sign * worth for key, sign in signs.items()}


def _gain(before: Before, costs: Mapping[str, float], objectives: Objectives) -> float:
    known = {**costs, **before.hopeful}
    own = np.array([[one.sign * known[one.key] for one in objectives.objectives]])
    front, point = (_placed(rows, before.scales) for rows in (np.array(before.front), own))
    low, span = front.min(0), np.ptp(front, axis=0)
    span = np.where(span > 0, span, 1.0)
    reference = np.full(len(span), REFERENCE)
    return float(worths((front - low) / span, (point - low) / span, reference, np.array([before.chance]))[0])


def _placed(rows: Matrix, scales: Sequence[tuple[float, float] | None]) -> Matrix:
    """Where values count for volume, shape (rows, objectives): by logarithms of several costs, nearly all of it would
    lie among the smallest networks."""
    found = [
        values if scale is None else np.log(np.maximum(values - scale[0], scale[1]))
        for values, scale in zip(rows.T, scales, strict=True)
    ]
    return np.array(found).T
