"""Which networks of a run are trained to the end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from evonas import analysis
from evonas.errors import UserError

if TYPE_CHECKING:
    from evonas.runs.run import Run

ORDER = ("most accurate", "knee", "smallest")
"""The roles of recommended networks, the first first; `pick` takes so many of them, and then others between."""


def chosen(
    run: "Run", candidates: Sequence[int] = (), pick: int | None = None, where: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows of `evaluations`, with the columns `role` and `why`, which say why they were chosen.

    Args:
        run: whose networks.
        candidates: by number, on the front or not; none: the front.
        pick: so many of the front, spread over it: those that `analysis.recommended` names (the most accurate, the
            knee, the smallest, as far as noise lets that be told), and those that are farthest from what was picked.
        where: conditions that those of the front must meet, e.g. "latency_ms[cpu]<=5".

    Raises:
        UserError: no such candidate, it was not fully trained, or nothing is left to choose from.
    """
    if candidates:
        if pick is not None or where:
            raise UserError("give CANDIDATE numbers, or --pick and --where, which choose from the front")
        return pd.DataFrame([_named(run, number) for number in dict.fromkeys(candidates)]).assign(role="chosen", why="")
    front = run.front()
    if front.empty:
        raise UserError(f"the front of {run.folder} is empty; there is nothing to train")
    left = analysis.where(front, where)
    if left.empty:
        raise UserError(f"none of the {len(front)} networks of the front meets {' and '.join(where)}")
    if pick is None:
        return left.assign(role="front", why="")
    if pick < 1:
        raise UserError(f"--pick takes a number of 1 or more, not {pick}")
    return _picked(run, left, pick)


def _named(run: "Run", candidate: int) -> "pd.Series[Any]":
    row = run.evaluations[run.evaluations["candidate"] == candidate]
    if row.empty:
        raise analysis.not_evaluated(run.evaluations, candidate)
    if row["status"].iloc[0] != "ok" and row["status"].iloc[0] != "stopped":
        raise UserError(f"candidate {candidate} is {row['status'].iloc[0]}: there is no network to train to the end")
    return row.iloc[0]


def _picked(run: "Run", front: pd.DataFrame, pick: int) -> pd.DataFrame:
    numbers = front["candidate"].tolist()
    found = analysis.recommended(run.description, front, run.certainty())
    roles: dict[int, tuple[str, str]] = {}
    for one in sorted(found, key=lambda one: ORDER.index(one["role"])):
        roles.setdefault(numbers.index(one["candidate"]), (one["role"], one["why"]))
    values = analysis.scaled(front, run.objectives, run.signs)
    while len(roles) < min(pick, len(front)):
        apart = ((values[:, None] - values[list(roles)][None]) ** 2).sum(-1).min(1)
        roles[int(apart.argmax())] = ("between", "farthest from those before")
    picked = dict(list(roles.items())[:pick])
    role, why = zip(*picked.values(), strict=True)
    rows: pd.DataFrame = front.iloc[list(picked)].assign(role=role, why=why)
    return rows
