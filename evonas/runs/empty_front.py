"""Why a search that has ended has nothing to choose from."""

import shlex

import pandas as pd

from evonas.records import Status
from evonas.text import one_line

TRAINED = (Status.OK, Status.STOPPED)


def only_failures(evaluations: pd.DataFrame) -> bool:
    """Whether candidates failed and none was trained: then something is broken, and the search has found nothing out.

    Args:
        evaluations: The rows of a run.
    """
    return bool(_failed(evaluations).any() and not evaluations["status"].isin(TRAINED).any())


def why_empty(evaluations: pd.DataFrame, front: pd.DataFrame, folder: object) -> str:
    """Returns one line for people; empty where the front is not, or nothing was evaluated.

    Args:
        evaluations: The rows of a run.
        front: Those on its front.
        folder: Of the run.
    """
    if len(front) or evaluations.empty:
        return ""
    count, untrained = len(evaluations), evaluations["status"] == Status.INFEASIBLE
    if only_failures(evaluations):
        failed = evaluations[_failed(evaluations)]
        last = failed.iloc[-1]
        others = f"; {untrained.sum():,} were over a limit" if untrained.any() else ""
        return (
            f"no candidate was trained: {len(failed):,} of {count:,} failed, the last with {last['status']}: "
            f"{one_line(str(last['message']))}{others}; all messages: evonas log {shlex.quote(str(folder))}"
        )
    over = evaluations[evaluations["violation"] > 0]
    if over.empty:
        return ""
    nearest = over.sort_values("violation", kind="stable").iloc[0]
    return (
        f"no candidate is within the limits: {len(over):,} of {count:,} are over one; the nearest, candidate "
        f"{nearest['candidate']}, by {100 * nearest['violation']:.3g} % in all"
    )


def _failed(evaluations: pd.DataFrame) -> "pd.Series[bool]":
    return evaluations["status"].map(lambda status: Status(status).failed)
