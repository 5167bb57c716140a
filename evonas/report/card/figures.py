"""How good a network is and what it costs: each number with its interval, and with what it holds for."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.exporters.latency import Latency
from evonas.report.card.exported import Exported
from evonas.runs.remarks import INCLUDES, included
from evonas.runs.run import Run

COSTS = {"params": "parameters", "macs": "multiply-accumulates an example", "train_memory_mb": "MB of training memory"}
HIDDEN = {"quiet_reference_ms", "took_s", "includes"}
"""Conditions that are about a measurement and not about the device."""


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; what is in a cell stays on one line."""
    lines: list[Sequence[object]] = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(value: object) -> str:
    """A text that neither ends a cell of a table nor its line."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split()).replace("|", "\\|")


def quality(run: Run, candidate: int) -> str:
    """A table of the task's metrics with their intervals, and with what they are of."""
    row = analysis.with_intervals(_row(run, candidate), run.description).iloc[0]
    validation = (run.description.get("validation") or {}).get("examples")
    of = f"validation{f', {validation:,} examples' if validation else ''}: chosen by them"
    rows: list[list[object]] = []
    for name, direction in run.description["task"]["metrics"].items():
        if pd.notna(row.get(name)):
            rows.append([name, _smaller(direction), f"{row[name]:.4g}", _interval(row, name), of])
    return table(["metric", "better", "value", "95 % interval", "of"], rows) if rows else "No metric was recorded."


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
    measured = [_measured(found) for found in exported.latencies]
    return "\n".join(line for line in (*recorded, *measured) if line)


def _recorded(run: Run, row: "pd.Series[Any]", target: str) -> str:
    column = f"latency_ms[{target}]"
    if pd.isna(row.get(column)):
        return ""
    words = INCLUDES.get(included(run.description).get(target, ""), "a network")
    settled = ", not settled in time" if row.get(f"settled[{target}]") == 0 else ""
    interval = _interval(row, column) or "unknown"
    return (
        f"- `{column}` as the search recorded it: {row[column]:.4g} ms, 95 % interval {interval}{settled}; of {words}; "
        f"{_conditions(row['conditions'], target)}."
    )


def _measured(found: Latency) -> str:
    return f"- {cell(found)}{f'; {_said(found.measured.conditions)}' if found.measured else ''}."


def _conditions(conditions: Mapping[str, str], target: str) -> str:
    end = f"[{target}]"
    return _said({key.removesuffix(end): text for key, text in conditions.items() if key.endswith(end)})


def _said(conditions: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {cell(text)}" for key, text in conditions.items() if key not in HIDDEN) or "unknown"


def _interval(row: "pd.Series[Any]", name: str) -> str:
    low, high = (row.get(end) for end in analysis.ends(name))
    return f"{low:.3g} to {high:.3g}" if low is not None and high is not None and low == low else ""


def _smaller(direction: str) -> str:
    return "smaller" if direction == "minimize" else "larger"


def _row(run: Run, candidate: int) -> pd.DataFrame:
    return run.evaluations[run.evaluations["candidate"] == candidate]
