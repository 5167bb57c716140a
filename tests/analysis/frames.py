"""Frames of evaluations made by hand."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

COLUMNS, SIGNS = ["error", "params"], [1, 1]


def evaluations(values: Sequence[tuple[float, float]], **columns: Any) -> pd.DataFrame:
    """A row for each (error, params), all fully trained and feasible, in generations of two, an hour each.

    columns: what is to be otherwise, a list with a value for each row.
    """
    n = len(values)
    frame = pd.DataFrame(
        {
            "candidate": range(n),
            "generation": pd.array([1 + i // 2 for i in range(n)], dtype="Int64"),
            "position": pd.array(range(n), dtype="Int64"),
            "arch": ["{}"] * n,
            "parents": [[] for _ in range(n)],
            "operator": "random",
            "status": "ok",
            "violation": 0.0,
            "error": [error for error, _ in values],
            "params": [params for _, params in values],
            "rungs": [[{"rung": 0, "metrics": {"error": error, "params": params}}] for error, params in values],
            "conditions": [{"host": "here"} for _ in range(n)],
            "measure_s": 0.0,
            "train_s": 3600.0,
            "paused_s": 0.0,
            "queued_s": 0.0,
            "started_at": [1e9 + 3600.0 * i for i in range(n)],
            "finished_at": [1e9 + 3600.0 * (i + 1) for i in range(n)],
        }
    )
    return frame.assign(**columns)
