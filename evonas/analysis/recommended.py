"""The networks of a front that one would take, chosen with the noise of errors and latencies in mind."""

from collections.abc import Container, Mapping
from typing import Any

import numpy as np
import pandas as pd

from evonas.analysis.fronts import picks
from evonas.text import figures


def main_metric(description: Mapping[str, Any]) -> tuple[str, str]:
    """Name and direction of the metric of the task that a search was about: its first objective that is one, else the
    first of the task."""
    metrics: Mapping[str, str] = description["task"]["metrics"]
    names = [objective["column"] for objective in description["objectives"] if objective["column"] in metrics]
    name = next(iter(names or metrics))
    return name, metrics[name]


def recommended(
    description: Mapping[str, Any], front: pd.DataFrame, certainty: pd.DataFrame | None = None
) -> list[dict[str, Any]]:
    """The networks that one would take: role, why, candidate. Ties go to the smaller error, then to the older one; of
    the knee, to the first of the front.

    Args:
        description: the run's run.json.
        front: its rows.
        certainty: as `Run.certainty`. Where it is known, the most accurate is the cheapest of those whose error cannot
            be told from the lowest, and of the knee and those that it cannot be told from it is the surest.
    """
    if front.empty:
        return []
    metric, direction = main_metric(description)
    error = front[metric].fillna(0.0) * (-1 if direction == "maximize" else 1)  # nothing is known of it untrained
    sure = (certainty if certainty is not None else pd.DataFrame({"candidate": front["candidate"]})).set_index(
        "candidate"
    )
    found = [("smallest", "fewest parameters", _least(front, front["params"], error))]
    if len(front) > 2 and len(description["objectives"]) > 1:
        found.append(_knee(description, front, sure))
    if front[metric].notna().any():
        found.append(_most_accurate(description, front, sure, _least(front, error, front["params"])))
    return [{"role": role, "why": why, "candidate": candidate} for role, why, candidate in found]


def _knee(description: Mapping[str, Any], front: pd.DataFrame, sure: pd.DataFrame) -> tuple[str, str, int]:
    columns, signs = zip(*((o["column"], o["sign"]) for o in description["objectives"]), strict=True)
    best_of = picks(front, columns, signs)
    knee = int(best_of.loc[best_of["pick"] == "knee", "candidate"].iloc[0])
    why = "least sum of the objectives, each scaled to 0 to 1 over the front"
    alike = _alike(sure, "indistinguishable", knee, set(front["candidate"]))
    chosen = max([knee, *alike], key=lambda candidate: sure["p_front"].get(candidate, 0.0)) if alike else knee
    if chosen == knee:
        return "knee", why, knee
    surest = f"surest of those that cannot be told from candidate {knee}, which has the {why}: p(front)"
    return "knee", f"{surest} {sure['p_front'][chosen]:.2f} instead of {sure['p_front'][knee]:.2f}", chosen


def _most_accurate(
    description: Mapping[str, Any], front: pd.DataFrame, sure: pd.DataFrame, best: int
) -> tuple[str, str, int]:
    """The cheapest of those that are as accurate as the best, as far as can be told."""
    metric, direction = main_metric(description)
    word = "highest" if direction == "maximize" else "lowest"
    others = [(o["column"], o["sign"]) for o in description["objectives"] if o["column"] != metric]
    cost, sign = (others or [("params", 1)])[0]
    rows = front.set_index("candidate")
    alike = _alike(sure, f"{metric}_indistinguishable", best, rows.index)
    chosen = min([best, *alike], key=lambda candidate: float(sign * rows[cost][candidate]))
    if chosen == best:
        return "most accurate", f"{word} {metric}", best
    have, instead = ([figures(rows[name][i]) for name in (metric, cost)] for i in (chosen, best))
    why = f"cheapest of those whose {metric} cannot be told from the {word}: {metric} {have[0]} at {cost} {have[1]}"
    return "most accurate", f"{why}; candidate {best} has {instead[0]} at {instead[1]}", chosen


def _alike(sure: pd.DataFrame, column: str, candidate: int, members: Container[int]) -> list[int]:
    """The members that one cannot be told from; none where that is not known."""
    alike = list(sure[column].get(candidate) or []) if column in sure else []
    return [other for other in alike if other in members]


def _least(front: pd.DataFrame, first: "pd.Series[float]", second: "pd.Series[float]") -> int:
    order = np.lexsort((front["candidate"], second, first))
    return int(front["candidate"].iloc[order[0]])
