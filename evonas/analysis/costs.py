"""What a search cost in money, by the prices of its nodes."""

from typing import Any

import numpy as np
import pandas as pd

from evonas.store import SPENT_USD, UNPRICED_S


def costs(frame: pd.DataFrame) -> pd.DataFrame:
    """What each generation cost. Candidates that were taken over from another run cost nothing.

    Args:
        frame: Evaluations of a run.

    Returns:
        generation (missing for the newest, which is open), candidates, usd (of the candidates, US dollars: their parts
        of their nodes), spent_usd (of all nodes, from the last evaluation before the generation to its own last:
        starting and idle ones and the head too), unpriced_hours (of nodes without a price, which are in neither). NaN
        where nothing is known.
    """
    conditions = [{} if "from" in dict(each or {}) else dict(each or {}) for each in frame["conditions"]]
    rows = pd.DataFrame(
        {
            "generation": frame["generation"],
            "candidates": 1,
            "usd": frame["usd"].astype(float),
            "spent_usd": _numbers(conditions, SPENT_USD),
            "unpriced_hours": _numbers(conditions, UNPRICED_S) / 3600,
        }
    )
    groups = rows.groupby("generation", dropna=False)
    return groups.sum(min_count=1).reset_index().astype({"candidates": int})


def _numbers(conditions: list[dict[str, Any]], name: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([float(each.get(name, "nan")) for each in conditions])
