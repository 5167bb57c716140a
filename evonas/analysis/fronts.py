"""Fronts of a frame of evaluations: who is on them, how much they dominate, what other limits would give.

columns, signs: the objectives, and -1 for each that is maximised (`run.objectives`, `run.signs`). A frame with a
column `run` is taken as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.frames import able, minimised, need, where
from evonas.errors import UserError
from evonas.objectives import pareto

CHUNK = 256

Reference = Mapping[str, float]
"""A reference point: objective -> value in its own unit."""


def front(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> pd.DataFrame:
    """The fully trained, feasible candidates that none dominates, best in the first objective first."""
    rows = able(frame)
    if rows.empty:
        return rows
    best: pd.DataFrame = rows[moocore.is_nondominated(minimised(rows, columns, signs), keep_weakly=True)]
    return best.sort_values([*columns, "candidate"], ascending=[*(sign > 0 for sign in signs), True])


def dominated(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> pd.DataFrame:
    """The fully trained, feasible candidates with two more columns, both counts of candidates.

    dominates: how many it is no worse than in every objective and better than in one. dominated_by: how many are so to
    it; 0 on the front.
    """
    rows = able(frame)
    values = minimised(rows, columns, signs)
    beats, beaten = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    for first in range(0, len(rows), CHUNK):
        own = values[first : first + CHUNK, None]
        pairs = (own <= values).all(-1) & (own < values).any(-1)
        beats[first : first + CHUNK] = pairs.sum(1)
        beaten += pairs.sum(0)
    return rows.assign(dominates=beats, dominated_by=beaten)


def reference(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> dict[str, float]:
    """The reference point of a run's hypervolume: objective -> value in its own unit.

    The worst values among the fully trained, feasible candidates of the first generation, and 10 % of their range
    behind; 10 % of the value where all have the same. It is fixed as soon as that generation is recorded, and the same
    for whoever computes it. Of several runs: of all their first generations.

    Raises:
        UserError: the first generation has fewer than two such candidates (yet).
    """
    early = able(frame[(frame["generation"] == 1).fillna(False).astype(bool)])
    if len(early) < 2:
        raise UserError(
            "no reference point: generation 1 has fewer than two fully trained, feasible candidates; give one, e.g. "
            f"reference={dict.fromkeys(columns, 1.0)}"
        )
    point = pareto.reference_point(minimised(early, columns, signs))
    return dict(zip(columns, (point * np.asarray(signs, dtype=float)).tolist(), strict=True))


def hypervolume(
    frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int], point: Reference | None = None
) -> float:
    """Volume that the front dominates up to a reference point, in the product of the objectives' units.

    Exact (moocore: Fonseca, Paquete and López-Ibáñez, 2006).

    Args:
        point: by default that of `reference`.
    """
    point = point or reference(frame, columns, signs)
    values = minimised(able(frame), columns, signs)
    return float(moocore.hypervolume(values, ref=corner(point, columns, signs))) if len(values) else 0.0


def corner(point: Reference, columns: Sequence[str], signs: Sequence[int]) -> NDArray[np.float64]:
    """A reference point as minimised values.

    Raises:
        UserError: it lacks an objective.
    """
    missing = [column for column in columns if column not in point]
    if missing:
        raise UserError(f"reference: no value for {', '.join(missing)}")
    return np.array([point[column] * sign for column, sign in zip(columns, signs, strict=True)], dtype=np.float64)


def scaled(front: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> NDArray[np.float64]:
    """The objectives of a front's members, (members, objectives), each from 0 (best of the front) to 1 (worst)."""
    values = minimised(front, columns, signs)
    span = np.ptp(values, axis=0)
    found: NDArray[np.float64] = (values - values.min(0)) / np.where(span > 0, span, 1.0)
    return found


def picks(front: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> pd.DataFrame:
    """Members of a front to look at first: the best in each objective, and the knee; a column `pick` says which.

    The knee is the member with the least sum of objectives, each scaled from 0 (best of the front) to 1 (worst): it is
    farthest from the plane through the extremes of the front (Das, Structural Optimization 18(2), 1999).
    """
    if front.empty:
        return front.assign(pick=pd.Series(dtype=str))
    values = scaled(front, columns, signs)
    places = [int(values[:, i].argmin()) for i in range(len(columns))] + [int(values.sum(1).argmin())]
    return front.iloc[places].assign(pick=[*(f"best {column}" for column in columns), "knee"])


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a front would be under other limits.

    Args:
        front: under the new limits, of what was fully trained.
        untrained: candidates that meet the new limits but were not trained to the end, because the run's own limits
            or early stopping ended them: one might be on the front.
    """

    front: pd.DataFrame
    untrained: pd.DataFrame


def what_if(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int], limits: Sequence[str]) -> WhatIf:
    """The front under other limits than the run's, which they replace; nothing is evaluated.

    Args:
        limits: conditions on columns, e.g. ["params<=20000", "latency_ms[cpu]<=5"].

    Raises:
        UserError: a limit is not COLUMN OPERATOR VALUE, or there is no such column.
    """
    need(frame, columns)
    meets = where(frame, limits)
    trained = meets[meets["status"] == "ok"].assign(violation=0.0)
    return WhatIf(front(trained, columns, signs), meets[meets["status"].isin(["stopped", "infeasible"])])
