"""What a search said of networks, against what they are in the end: their order, and how lucky the chosen ones were.

Everywhere `metric` is the task's main one and `sign` is -1 where it is maximised. A network's figure by the search is
that of `evaluations`; in the end it is test[METRIC] of `Run.final`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

FEW = 5
"""Of fewer networks than these no order says anything: four are in the same order by chance with p = 0.08."""


def as_finished(evaluations: pd.DataFrame, final: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Networks that were trained to the end, with the objectives that they have then.

    An objective is taken from the test examples where it is a metric of the task, as it was measured then where it was
    measured again, and else from the search (parameters, MACs, what could not be measured).

    Args:
        evaluations: rows of the run.
        final: of `Run.final`; networks that could not be trained are left out.
        columns: the objectives.

    Returns:
        Rows of `evaluations`, feasible as they were, all fully trained; `stopped` says which the search had stopped.
    """
    able = final[final["status"] == "ok"].set_index("candidate")
    rows = evaluations[evaluations["candidate"].isin(able.index)]
    index = rows["candidate"].to_numpy()
    values = {}
    for column in columns:
        there = next((name for name in (f"test[{column}]", column) if name in able), None)
        known = rows[column].to_numpy(float)
        now = able.loc[index, there].to_numpy(float) if there else np.full(len(rows), np.nan)
        values[column] = np.where(np.isnan(now), known, now)
    return rows.assign(stopped=rows["status"] == "stopped", status="ok", **values)


def search_and_test(evaluations: pd.DataFrame, final: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Each network that was trained to the end: candidate, status (of the search), search, valid (of the best recipe),
    test, test_low and test_high (95 % over examples); NaN where a figure is not known."""
    known = evaluations[["candidate", "status", metric]].rename(columns={metric: "search"})
    names = {f"{name}[{metric}]": name for name in ("valid", "test", "test_low", "test_high")}
    able = final[final["status"] == "ok"].reindex(columns=["candidate", *names]).rename(columns=names)
    return known.merge(able, on="candidate")


def rank_agreement(evaluations: pd.DataFrame, found: pd.DataFrame, metric: str, sign: int) -> pd.DataFrame:
    """Whether networks are in the end in the order in which the search had them.

    Args:
        evaluations: rows of the run.
        found: from `search_and_test`.
        metric: the main metric.
        sign: of it 1, or -1 where more of it is better.

    Returns:
        among: all; best tenth, those that are in the best tenth of the search's fully trained candidates. networks,
        kendall_tau (tau-b), p (how often networks without any relation give one as far from 0; exact for few without
        ties). NaN of fewer than two, or where all are alike.
    """
    trained = (sign * evaluations.loc[evaluations["status"] == "ok", metric]).dropna().sort_values()
    bound = trained.iloc[math.ceil(len(trained) / 10) - 1] if len(trained) else -math.inf
    among = {"all": found, "best tenth": found[(found["status"] == "ok") & (sign * found["search"] <= bound)]}
    rows = []
    for name, those in among.items():
        known = those.dropna(subset=["search", "test"])
        tau, p = (math.nan, math.nan)
        if len(known) > 1 and known["search"].nunique() > 1 and known["test"].nunique() > 1:
            tau, p = _stats().kendalltau(known["search"], known["test"])
        rows.append({"among": name, "networks": len(known), "kendall_tau": float(tau), "p": float(p)})
    return pd.DataFrame(rows)


def winners_curse(found: pd.DataFrame, looked: pd.DataFrame, metric: str, sign: int) -> pd.DataFrame:
    """How much worse networks are on the test examples than on those that they were chosen by.

    Args:
        found: from `search_and_test`.
        looked: rows of `Run.tests` and of `evaluations`, joined by candidate: networks with the weights of the search.
        metric: the main metric.
        sign: of it 1, or -1 where more of it is better.

    Returns:
        A row each for three figures that networks were chosen by. `same weights`: the network as the search left it, on
        validation and on test examples, which is the winner's curse and nothing else. `search`: of the search against
        the finished network, which has been trained for longer as well. `recipe`: of the best recipe against the
        finished network, which may have learned from the validation examples too. networks; mean (test minus what it
        was chosen by, in the metric's unit, more is worse), low and high (Student's 95 % interval over networks); best
        (of the network that is best by what it was chosen by), candidate (which that is).
    """
    seen = looked.rename(columns={metric: "search", f"test[{metric}]": "test"})
    figures = {"same weights": (seen, "search"), "search": (found, "search"), "recipe": (found, "valid")}
    return pd.DataFrame([{"figure": name, **_worse(rows, by, sign)} for name, (rows, by) in figures.items()])


def _worse(rows: pd.DataFrame, by: str, sign: int) -> dict[str, float]:
    known = rows.dropna(subset=[by, "test"]) if {by, "test"} <= set(rows) else rows.iloc[:0]
    if known.empty:
        return {"networks": 0, **dict.fromkeys(("mean", "low", "high", "best", "candidate"), math.nan)}
    off = sign * (known["test"] - known[by]).to_numpy(float)
    first = int(np.lexsort((known["candidate"], sign * known[by]))[0])
    half = math.nan
    if len(off) > 1:
        half = float(_stats().t.ppf(0.975, len(off) - 1) * off.std(ddof=1) / math.sqrt(len(off)))
    ends = {"low": float(off.mean()) - half, "high": float(off.mean()) + half}
    best = {"best": float(off[first]), "candidate": int(known["candidate"].iloc[first])}
    return {"networks": len(off), "mean": float(off.mean()), **ends, **best}


def best_by_search(found: pd.DataFrame, sign: int) -> pd.DataFrame:
    """What it costs to take the network that the search calls best, of those that were trained to the end.

    Returns:
        One row: candidate, test, place (by test, from 1), networks, best (the candidate that is best by test), behind
        (how much worse the first is on test, in the metric's unit), overlap (whether their 95 % intervals overlap). No
        row of fewer than two networks.
    """
    known = found[found["status"] == "ok"].dropna(subset=["search", "test"])
    if len(known) < 2:
        return pd.DataFrame(columns=["candidate", "test", "place", "networks", "best", "behind", "overlap"])
    by = {name: known.iloc[int(np.lexsort((known["candidate"], sign * known[name]))[0])] for name in ("search", "test")}
    own, best = by["search"], by["test"]
    row = {
        "candidate": int(own["candidate"]),
        "test": float(own["test"]),
        "place": 1 + int((sign * known["test"] < sign * own["test"]).sum()),
        "networks": len(known),
        "best": int(best["candidate"]),
        "behind": float(sign * (own["test"] - best["test"])),
        "overlap": bool(own["test_low"] <= best["test_high"] and best["test_low"] <= own["test_high"]),
    }
    return pd.DataFrame([row])


def _stats() -> Any:
    """SciPy's, which looks for torch when it is imported, and readers of a run may have none."""
    from scipy import stats

    return stats
