"""What a network costs: each number with its interval, and with the conditions that it holds under."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.exporters.latency import Latency
from evonas.report.card.exported import Exported
from evonas.report.card.tables import cell, table
from evonas.runs.remarks import INCLUDES, included
from evonas.runs.run import Run

COSTS = {"params": "parameters", "macs": "multiply-accumulates an example", "train_memory_mb": "MB of training memory"}
HIDDEN = {"quiet_reference_ms", "took_s", "includes"}
"""Conditions that are about a measurement and not about the device."""


def costs(run: Run, candidate: int) -> str:
    """A table of what the network costs whatever the device, and of other objectives that are no metric of the task."""
    row = _row(run, candidate).iloc[0]
    learnt = run.description["task"]["metrics"]
    others = {o["column"]: o["unit"] for o in run.description["objectives"] if o["column"] not in (*COSTS, *learnt)}
    known = {**{name: ("", words) for name, words in COSTS.items()}, **{name: (u, name) for name, u in others.items()}}
    rows: list[list[object]] = [
        [words, f"{row[name]:,.6g} {unit}".strip()]
        for name, (unit, words) in known.items()
        if pd.notna(row.get(name)) and not name.startswith("latency_ms[")
    ]
    return table(["cost", "value"], rows) if rows else ""


def latencies(run: Run, candidate: int, exported: Exported) -> str:
    """A list: of each target what the run recorded and what the file takes, with the conditions of both."""
    row = _row(run, candidate).iloc[0]
    recorded = [_recorded(run, row, target) for target in run.description["targets"]]
    finished = exported.shipment.trained.finished
    later = [] if finished is None else [_later(finished, target) for target in run.description["targets"]]
    measured = [_measured(found) for found in exported.latencies]
    return "\n".join(line for line in (*recorded, *later, *measured) if line)


def _recorded(run: Run, row: "pd.Series[Any]", target: str) -> str:
    column = f"latency_ms[{target}]"
    if pd.isna(row.get(column)):
        return ""
    words = INCLUDES.get(included(run.description).get(target, ""), "a network")
    settled = ", not settled in time" if row.get(f"settled[{target}]") == 0 else ""
    return (
        f"- `{column}` as the search recorded it: {row[column]:.4g} ms, 95 % interval {_interval(row, column)}{settled}"
        f"; of {words}; {_conditions(row['conditions'], target)}."
    )


def _later(finished: "pd.Series[Any]", target: str) -> str:
    column = f"latency_ms[{target}]"
    if pd.isna(finished.get(column)):
        return ""
    return f"- `{column}` when it was trained to the end: {finished[column]:.4g} ms, {_interval(finished, column)}."


def _measured(found: Latency) -> str:
    return f"- {cell(found)}{f'; {_said(found.measured.conditions)}' if found.measured else ''}."


def _conditions(conditions: Mapping[str, str], target: str) -> str:
    end = f"[{target}]"
    return _said({key.removesuffix(end): text for key, text in conditions.items() if key.endswith(end)})


def _said(conditions: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {cell(text)}" for key, text in conditions.items() if key not in HIDDEN) or "unknown"


def _interval(row: "pd.Series[Any]", column: str) -> str:
    low, high = (row.get(end) for end in analysis.ends(column))
    return f"{low:.3g} to {high:.3g}" if low is not None and high is not None and low == low else "unknown"


def _row(run: Run, candidate: int) -> pd.DataFrame:
    return run.evaluations[run.evaluations["candidate"] == candidate]
