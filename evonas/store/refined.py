"""Latencies that were measured for a moment only, and what takes their place at the end of a search."""

from collections.abc import Mapping
from typing import Any

UNTIL = "until["
"""How a condition of a row begins that says how far a target's latency was measured, where that was not to the end."""
VIOLATION = "violation"

Conditions = Mapping[str, str]


def screened_targets(conditions: Conditions) -> frozenset[str]:
    """Returns the targets on which a candidate was not measured to the end.

    Args:
        conditions: Of its row.
    """
    return frozenset(key.removeprefix(UNTIL)[:-1] for key in conditions if key.startswith(UNTIL))


def refined_metrics(later: Mapping[str, float], conditions: Conditions) -> dict[str, float]:
    """Returns what of a later measurement takes the place of a row's: that of screened targets, and the violation.

    Args:
        later: Metrics of the later measurement.
        conditions: Of the row.
    """
    ends = _ends(conditions)
    return {name: value for name, value in later.items() if ends and (name.endswith(ends) or name == VIOLATION)}


def refined_conditions(later: Conditions, conditions: Conditions) -> dict[str, str]:
    """Returns the conditions of a row whose screened targets were measured later.

    Args:
        later: Of the later measurement.
        conditions: Of the row.
    """
    if not (ends := _ends(conditions)):
        return dict(conditions)
    kept = {key: text for key, text in conditions.items() if not key.endswith(ends)}
    return kept | {key: text for key, text in later.items() if key.endswith(ends)}


def refined_row(row: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row with what of a later measurement takes the place of its own, at its rungs too.

    Args:
        row: Of `evaluations`.
        later: The row of the later measurement: metrics, conditions.
    """
    metrics = refined_metrics(later["metrics"], row["conditions"])
    own = {name: value for name, value in metrics.items() if name != VIOLATION}
    return {
        **row,
        **metrics,
        "rungs": [{**rung, "metrics": {**rung["metrics"], **own}} for rung in row["rungs"]],
        "conditions": refined_conditions(later["conditions"], row["conditions"]),
    }


def _ends(conditions: Conditions) -> tuple[str, ...]:
    """How the names of what belongs to a screened target end."""
    return tuple(f"[{target}]" for target in screened_targets(conditions))
