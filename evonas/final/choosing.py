"""Which networks of a run are trained to the end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from evonas import analysis
from evonas.errors import UserError

if TYPE_CHECKING:
    from evonas.runs.run import Run

ROLES = ("most accurate", "knee", "smallest")
"""The networks that one would take, the first first; `pick` takes so many of them, and then others between."""


def chosen(
    run: "Run", candidates: Sequence[int] = (), pick: int | None = None, where: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows of `evaluations`, with a column `role` that says why they were chosen.

    Args:
        run: whose networks.
        candidates: by number, on the front or not; none: the front.
        pick: so many of the front, spread over it: its most accurate, then the knee, the smallest, and those that are
            farthest from what was picked.
        where: conditions that those of the front must meet, e.g. "latency_ms[cpu]<=5".

    Raises:
        UserError: no such candidate, it was not fully trained, or nothing is left to choose from.
    """
    if candidates:
        if pick is not None or where:
            raise UserError("give CANDIDATE numbers, or --pick and --where, which choose from the front")
        return pd.DataFrame([_named(run, number) for number in dict.fromkeys(candidates)]).assign(role="chosen")
    front = run.front()
    if front.empty:
        raise UserError(f"the front of {run.folder} is empty; there is nothing to train")
    left = analysis.where(front, where)
    if left.empty:
        raise UserError(f"none of the {len(front)} networks of the front meets {' and '.join(where)}")
    if pick is None:
        return left.assign(role="front")
    if pick < 1:
        raise UserError(f"--pick takes a number of 1 or more, not {pick}")
    return _picked(left, run.objectives, run.signs, pick)


def _named(run: "Run", candidate: int) -> "pd.Series[Any]":
    row = run.evaluations[run.evaluations["candidate"] == candidate]
    if row.empty:
        raise analysis.not_evaluated(run.evaluations, candidate)
    if row["status"].iloc[0] != "ok" and row["status"].iloc[0] != "stopped":
        raise UserError(f"candidate {candidate} is {row['status'].iloc[0]}: there is no network to train to the end")
    return row.iloc[0]


def _picked(front: pd.DataFrame, columns: Sequence[str], signs: Sequence[int], pick: int) -> pd.DataFrame:
    values = analysis.scaled(front, columns, signs)
    knee = int(values.sum(1).argmin())
    first = [(0, ROLES[0]), (knee, ROLES[1]), (int(front["params"].to_numpy(float).argmin()), ROLES[2])]
    roles: dict[int, str] = {}
    for place, role in first:
        roles.setdefault(place, role)
    while len(roles) < min(pick, len(front)):
        apart = ((values[:, None] - values[list(roles)][None]) ** 2).sum(-1).min(1)
        roles[int(apart.argmax())] = "between"
    places = list(roles)[:pick]
    found: pd.DataFrame = front.iloc[places].assign(role=[roles[place] for place in places])
    return found
