"""How a search went: ancestors, survivors, diversity, hypervolume over candidates and hours, bands over seeds."""

from collections.abc import Iterator, Sequence
from typing import Any

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.frames import able, by_run, minimised, need, one_run, started
from evonas.analysis.fronts import Reference, corner, reference
from evonas.analysis.genes import genes
from evonas.errors import UserError

# Student's t at 97.5 % for 1 to 30 degrees of freedom; beyond, the last is 4 % too wide at most.
# fmt: off
T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)
# fmt: on


def not_evaluated(frame: pd.DataFrame, candidate: int) -> UserError:
    """What to say of a candidate that is not among those of a run.

    Args:
        frame: the rows of the run.
        candidate: its number.
    """
    if frame.empty:
        return UserError(f"no evaluated candidate {candidate}; the run has none yet")
    low, high = frame["candidate"].min(), frame["candidate"].max()
    return UserError(f"no evaluated candidate {candidate}; the run has {len(frame):,}, from {low} to {high}")


def lineage(frame: pd.DataFrame, candidate: int) -> pd.DataFrame:
    """A candidate and all its ancestors, random ones first.

    Raises:
        UserError: there is no such candidate, or the frame has several runs.
    """
    one_run(frame)
    parents = dict(zip(frame["candidate"], frame["parents"], strict=True))
    if candidate not in parents:
        raise not_evaluated(frame, candidate)
    family, open_ends = set(), [candidate]
    while open_ends:
        member = open_ends.pop()
        if member not in family:
            family.add(member)
            open_ends += list(parents.get(member, ()))
    return frame[frame["candidate"].isin(family)]


def survival(populations: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """How fast populations turn over, of one run.

    Returns:
        generation, survivors, newcomers (that were not in the population before), left (of the one before that are not
        in this one), mean_age and oldest (generations since a survivor was evaluated), first_rank (survivors of rank 0)
    """
    need(populations, ["generation", "candidate", "rank"])
    one_run(populations)
    evaluated = dict(zip(one_run(frame)["candidate"], frame["generation"], strict=True))
    rows, before = [], set[int]()
    for generation, members in populations.groupby("generation"):
        now = set(members["candidate"])
        ages = [int(str(generation)) - int(evaluated[index]) for index in now]
        rows.append(
            {
                "generation": generation,
                "survivors": len(now),
                "newcomers": len(now - before),
                "left": len(before - now),
                "mean_age": float(np.mean(ages)),
                "oldest": max(ages),
                "first_rank": int((members["rank"] == 0).sum()),
            }
        )
        before = now
    return pd.DataFrame(rows)


def lifespans(populations: pd.DataFrame) -> pd.DataFrame:
    """How long each survivor stayed, longest first: candidate, first, last (generations it survived), generations."""
    need(populations, ["generation", "candidate"])
    spans = one_run(populations).groupby("candidate")["generation"].agg(["min", "max", "nunique"])
    spans.columns = pd.Index(["first", "last", "generations"])
    return spans.reset_index().sort_values(["generations", "candidate"], ascending=[False, True], ignore_index=True)


def diversity(populations: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """How different the survivors of each generation are, by the genes that their architectures have.

    Returns:
        generation; distance: mean over pairs of the share of genes that differ (Hamming), from 0 to 1, where a gene
        that both lack is equal; entropy: mean over genes of the entropy of their choices, in bits
    """
    need(populations, ["generation", "candidate"])
    one_run(populations)
    table = genes(one_run(frame))
    codes = np.column_stack([pd.factorize(table[name], use_na_sentinel=False)[0] for name in table])
    place = dict(zip(frame["candidate"], range(len(frame)), strict=True))
    rows = []
    for generation, members in populations.groupby("generation"):
        own = codes[[place[index] for index in members["candidate"]]]
        rows.append({"generation": generation, "distance": _distance(own), "entropy": _entropy(own)})
    return pd.DataFrame(rows)


def progress(
    frame: pd.DataFrame,
    columns: Sequence[str],
    signs: Sequence[int],
    over: str = "candidates",
    point: Reference | None = None,
) -> pd.DataFrame:
    """The hypervolume after each evaluated candidate, of each run.

    Args:
        over: "candidates", in the order that counts, or "hours", in the order in which they were finished.
        point: by default that of `reference` for the whole frame, so that several runs have the same; it is
            recorded in `.attrs["reference"]`.

    Returns:
        run (where the frame has it), candidates (evaluated by then), hours (from the first start of an evaluation, by
        the wall clock, pauses of the search included), hypervolume (in the product of the objectives' units)

    Raises:
        UserError: `over` is something else, or there is no reference point yet.
    """
    if over not in ("candidates", "hours"):
        raise UserError(f"over: 'candidates' or 'hours', not {over!r}")
    point = point or reference(frame, columns, signs)
    far = corner(point, columns, signs)
    parts = []
    for name, part in by_run(frame):
        rows = in_order(part, over)
        hours = (rows["finished_at"] - started(rows).min()).cummax() / 3600
        known = rows.index.isin(able(rows).index)
        volumes = list(_volumes(minimised(rows, columns, signs), known, far))
        found = {"candidates": range(1, 1 + len(rows)), "hours": hours.to_numpy(), "hypervolume": volumes}
        parts.append(pd.DataFrame({**({"run": name} if "run" in frame else {}), **found}))
    result = pd.concat(parts, ignore_index=True)
    result.attrs["reference"] = dict(point)
    return result


def bands(curves: pd.DataFrame, over: str = "candidates", points: int = 200) -> pd.DataFrame:
    """Mean over runs of a curve, e.g. of `progress` over seeds, with a 95 % confidence interval of the mean.

    Student's t, for independent runs of one search. Up to where the shortest run ends; each curve keeps its value until
    its next point.

    Returns:
        OVER, mean, low, high, runs

    Raises:
        UserError: fewer than two runs.
    """
    need(curves, [over, "hypervolume"])
    parts = [part.sort_values(over) for _, part in by_run(curves)]
    if len(parts) < 2:
        raise UserError(f"a confidence band needs two runs or more, not {len(parts)}")
    grid = np.linspace(max(p[over].min() for p in parts), min(p[over].max() for p in parts), points)
    if over == "candidates":
        grid = np.unique(np.round(grid))
    places = [np.searchsorted(part[over].to_numpy(), grid, side="right") - 1 for part in parts]
    values = np.array([p["hypervolume"].to_numpy()[place] for p, place in zip(parts, places, strict=True)])
    mean = values.mean(0)
    half = T[min(len(parts) - 1, len(T)) - 1] * values.std(0, ddof=1) / np.sqrt(len(parts))
    return pd.DataFrame({over: grid, "mean": mean, "low": mean - half, "high": mean + half, "runs": len(parts)})


def in_order(frame: pd.DataFrame, over: str) -> pd.DataFrame:
    """By position, those that are in no generation yet last; or by the time they were finished."""
    if over == "hours":
        return frame.sort_values(["finished_at", "candidate"])
    return frame.sort_values(["position", "finished_at", "candidate"], na_position="last")


def _volumes(values: NDArray[np.float64], known: NDArray[np.bool_], far: NDArray[np.float64]) -> Iterator[float]:
    """The hypervolume after each row; it is computed anew only where the front changes."""
    front, volume = np.empty((0, values.shape[1])), 0.0
    for own, counts in zip(values, known, strict=True):
        if counts and (own < far).all() and not (front <= own).all(1).any():
            front = np.vstack([front[~(own <= front).all(1)], own])
            volume = float(moocore.hypervolume(front, ref=far))
        yield volume


def _distance(codes: NDArray[Any]) -> float:
    """By the counts of each choice: pairs that differ are all pairs without those that agree."""
    n = len(codes)
    if n < 2:
        return 0.0
    agree = [sum(c * (c - 1) for c in np.bincount(gene).tolist()) / (n * (n - 1)) for gene in codes.T]
    return float(1 - np.mean(agree))


def _entropy(codes: NDArray[Any]) -> float:
    shares = [np.bincount(gene)[np.bincount(gene) > 0] / len(codes) for gene in codes.T]
    return float(np.mean([abs(-(share * np.log2(share)).sum()) for share in shares]))
