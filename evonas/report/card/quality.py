"""How good a network is: each figure with its interval, and with what it is of."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.exporters.shipment import Trained
from evonas.report.card.tables import table
from evonas.runs.run import Run
from evonas.text import counted

HEADS = ("metric", "better", "value", "95 % interval", "of")


def quality(run: Run, candidate: int, trained: Trained) -> str:
    """A table of the task's metrics: of the test examples where they were looked at, and of the validation examples.

    Args:
        run: its run.
        candidate: its number.
        trained: the weights that are exported.
    """
    rows = [
        [name, "smaller" if direction == "minimize" else "larger", *figure]
        for name, direction in run.description["task"]["metrics"].items()
        for figure in (
            *_finished(name, trained),
            *_looks(run, name, trained),
            *_searched(run, name, candidate, trained),
        )
    ]
    return table(HEADS, rows) if rows else "No metric was recorded."


def looks(run: Run) -> int:
    """How often the test examples were looked at: by finished networks, once each, and by `evonas test`."""
    return int((run.final["status"] == "ok").sum()) + len(run.tests)


def _finished(name: str, trained: Trained) -> Iterator[list[str]]:
    """Of a network that was trained to the end: test over its seeds, and valid of its recipe."""
    row = trained.finished
    if row is None:
        return
    if (test := row.get(f"test[{name}]")) is not None and pd.notna(test):
        seeds = counted(int(row["seeds"]), "seed")
        yield [f"{test:.4g}", _between(row, f"test_%s[{name}]"), f"test, the mean of {seeds}; interval over examples"]
        if over := _between(row, f"seeds_%s[{name}]"):
            yield [f"{test:.4g}", over, f"test, the mean of {seeds}; interval of the mean over seeds"]
    if (valid := row.get(f"valid[{name}]")) is not None and pd.notna(valid):
        yield [f"{valid:.4g}", _between(row, f"valid_%s[{name}]"), "validation, of its recipe: chosen by it"]


def _looks(run: Run, name: str, trained: Trained) -> Iterator[list[str]]:
    """What `evonas test` has found of these very weights; the last time, for it is the same each time."""
    own = run.tests[run.tests["weights_sha256"] == trained.sha256]
    if len(own) and pd.notna(own.iloc[-1].get(f"test[{name}]")):
        row = own.iloc[-1]
        of = f"test, {row['examples']:,} examples, these weights"
        yield [f"{row[f'test[{name}]']:.4g}", _between(row, f"test_%s[{name}]"), of]


def _searched(run: Run, name: str, candidate: int, trained: Trained) -> Iterator[list[str]]:
    """What the search knew, by which it chose the network."""
    rows = run.evaluations[run.evaluations["candidate"] == candidate]
    row = analysis.with_intervals(rows, run.description).iloc[0]
    if pd.isna(row.get(name)):
        return
    examples = (run.description.get("validation") or {}).get("examples")
    of = f"validation{f', {examples:,} examples' if examples else ''}: chosen by them"
    others = "" if trained.finished is None else "; of the search's weights, which are not in the file"
    yield [f"{row[name]:.4g}", _between(row, f"{name}_%s"), f"{of}{others}"]


def _between(row: "pd.Series[Any]", ends: str) -> str:
    low, high = row.get(ends % "low"), row.get(ends % "high")
    return f"{low:.3g} to {high:.3g}" if low is not None and high is not None and pd.notna(low) else ""
