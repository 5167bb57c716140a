"""How far a run is, in plain values: what `evonas status` prints."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.runs.money import Money
from evonas.store import Recovered


def progress(record: Recovered, evaluations: pd.DataFrame, front: int, targets: Sequence[str]) -> dict[str, Any]:
    """How many candidates are evaluated, with which outcomes, and how far their latencies settled.

    Args:
        record: of the run.
        evaluations: its rows.
        front: networks on it.
        targets: its targets.
    """
    unsettled = analysis.unsettled(evaluations, targets)
    return {
        "evaluated": len(record.evaluated),
        "statuses": dict(Counter(evaluation.status.value for evaluation in record.evaluated)),
        "pending": len(record.pending),
        "generations": record.generations,
        "front": front,
        "unsettled": {target: {"latencies": count, "of": known} for target, (count, known) in unsettled.items()},
        "elapsed_s": round(record.elapsed_s, 1),
    }


def spending(spent: Money, costs: pd.DataFrame) -> dict[str, Any]:
    """What the run has cost.

    Args:
        spent: over all its starts.
        costs: of its generations, as of `analysis.costs`.
    """
    return {
        "spent_usd": None if spent.usd is None else round(spent.usd, 6),
        "unpriced_node_hours": round(spent.unpriced_hours, 4),
        "generations_usd": dict(_usd_by_generation(costs)),
    }


def _usd_by_generation(costs: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Name and US dollars of each generation of which something is known; that which is open is "open"."""
    for row in costs.to_dict("records"):
        if not pd.isna(row["spent_usd"]):
            yield "open" if pd.isna(row["generation"]) else str(row["generation"]), round(row["spent_usd"], 6)
