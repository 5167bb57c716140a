"""A search against random search: who reached how much with what, how much of it may be luck, and hours by stage."""

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import pandas as pd

from evonas.analysis.frames import able, minimised, started
from evonas.analysis.fronts import Reference, corner
from evonas.analysis.history import in_order, progress

HALVES = 200


@dataclass(frozen=True, slots=True)
class Spent:
    """What a search has spent.

    Args:
        evaluations: candidates.
        epochs: of training, over all of them.
        hours: that candidates were in work, summed over workers.
    """

    evaluations: int
    epochs: int
    hours: float


def spent(evaluations: pd.DataFrame) -> Spent:
    """What these rows of `evaluations` have taken."""
    hours = float((evaluations["finished_at"] - started(evaluations)).sum()) / 3600
    return Spent(len(evaluations), int(evaluations["epochs"].sum()), hours)


def spent_until(
    evaluations: pd.DataFrame, columns: Sequence[str], signs: Sequence[int], volume: float, point: Reference
) -> Spent | None:
    """What a search had spent when its front first dominated so much, in the order that counts; None: it never did.

    Args:
        evaluations: rows of one run.
        columns: the objectives.
        signs: of each 1, or -1 where it is maximised.
        volume: a hypervolume.
        point: its reference point.
    """
    if evaluations.empty:
        return None
    curve = progress(evaluations, columns, signs, point=point)["hypervolume"].to_numpy()
    there = np.flatnonzero(curve >= volume)
    return spent(in_order(evaluations, "candidates").iloc[: int(there[0]) + 1]) if len(there) else None


def within_epochs(evaluations: pd.DataFrame, epochs: int) -> pd.DataFrame:
    """The rows of one run, in the order that counts, that had been evaluated when so many epochs were spent."""
    rows = in_order(evaluations, "candidates")
    return rows[rows["epochs"].cumsum() <= epochs]


def hypervolume_luck(
    evaluations: pd.DataFrame, columns: Sequence[str], signs: Sequence[int], point: Reference
) -> float:
    """The standard deviation that the hypervolume of a random search has from seed to seed, told from one of them.

    Its candidates are drawn independently, so that its random halves vary as much as whole searches do (the delete-half
    jackknife: Shao and Wu, Annals of Statistics 17, 1989). An estimate: early stopping joins candidates a little, and a
    hypervolume is no smooth function of them.

    Args:
        evaluations: rows of one random search.
        columns: the objectives.
        signs: of each 1, or -1 where it is maximised.
        point: the reference point.

    Returns:
        In the unit of the hypervolume; NaN of fewer than four candidates.
    """
    n = len(evaluations)
    if n < 4:
        return float("nan")
    known = evaluations.index.isin(able(evaluations).index)
    values, far = minimised(evaluations, columns, signs), corner(point, columns, signs)
    rng, found = np.random.default_rng(0), []
    for _ in range(HALVES):
        half = np.zeros(n, dtype=bool)
        half[rng.permutation(n)[: n // 2]] = True
        own = values[half & known]
        found.append(float(moocore.hypervolume(own, ref=far)) if len(own) else 0.0)
    return float(np.std(found, ddof=1))


def shared_networks(evaluations: pd.DataFrame, others: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Networks that two searches have both trained to the end: how far their figures are apart.

    Returns:
        column, networks, mean_difference (of the absolute differences, as a share of their mean; NaN without one)
    """
    both = able(evaluations).merge(able(others), on="arch_hash", suffixes=("", "_other"))
    rows = []
    for column in columns:
        one, other = both[column].to_numpy(float), both[f"{column}_other"].to_numpy(float)
        middle = np.where(one + other == 0, 1.0, np.abs(one + other) / 2)
        off = np.abs(one - other) / middle
        rows.append(
            {"column": column, "networks": len(both), "mean_difference": float(off.mean()) if len(off) else np.nan}
        )
    return pd.DataFrame(rows)


def stage_hours(evaluations: pd.DataFrame, trainings: pd.DataFrame) -> pd.DataFrame:
    """What each stage of a run has cost.

    Args:
        evaluations: rows of one run.
        trainings: of `analysis.trainings`.

    Returns:
        stage, hours (of workers; NaN where they were not recorded), share (of the sum). The last row, `waiting`, is the
        part of training and measuring in which other networks were measured; it has no share of its own.
    """
    spans = (trainings["finished_at"] - trainings["started_at"]) / 3600
    networks = trainings[trainings["stage"] == "network"]
    hours = {
        "training": evaluations["train_s"].sum() / 3600,
        "measuring": evaluations["measure_s"].sum() / 3600,
        "final trials": spans[trainings["stage"] == "trial"].sum(),
        "final seeds": spans[trainings["stage"] == "seed"].sum(),
        "final measuring": networks["measure_s"].sum(min_count=1) / 3600 if len(networks) else 0.0,
    }
    table = pd.DataFrame({"stage": list(hours), "hours": [float(own) for own in hours.values()]})
    table["share"] = table["hours"] / (table["hours"].sum() or 1.0)
    waiting = {"stage": "waiting", "hours": float(evaluations["paused_s"].sum()) / 3600, "share": np.nan}
    return pd.concat([table, pd.DataFrame([waiting])], ignore_index=True)
