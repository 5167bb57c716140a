"""What is to be known beside a front: how its numbers came about, and how far they are to be believed."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.text import counted

INCLUDES = {
    "prepare": "what is shipped, the network with the task's `prepare`",
    "network": "the network alone, without the task's `prepare`",
}


def remarks(
    description: Mapping[str, Any], evaluations: pd.DataFrame, measured: pd.DataFrame, folder: object
) -> list[str]:
    """Lines for people, to be shown beside the front of a run.

    Args:
        description: its run.json.
        evaluations: its rows.
        measured: what was measured after it, as `Run.measured`.
        folder: of the run.
    """
    return [
        *_included(description),
        *_unsettled(description, evaluations, folder),
        *_again(description, evaluations, measured),
        *_intervals(description),
    ]


def included(description: Mapping[str, Any]) -> dict[str, str]:
    """Target -> what its latencies are of: "prepare" (the network with the task's `prepare`) or "network"."""
    if description["evaluator"]:
        return {}
    targets = description["config"]["targets"]
    return {name: targets[name]["includes"] for name in description["targets"]}


def _included(description: Mapping[str, Any]) -> Iterator[str]:
    found = included(description)
    for includes, words in INCLUDES.items():
        if names := [name for name, own in found.items() if own == includes]:
            yield f"latency on {', '.join(names)}: of {words}"


def _unsettled(description: Mapping[str, Any], evaluations: pd.DataFrame, folder: object) -> Iterator[str]:
    for target, (count, known) in analysis.unsettled(evaluations, description["targets"]).items():
        if count:
            within = description["config"]["targets"][target]["within"]
            yield (
                f"{count:,} of {known:,} latencies on {target} did not settle within {100 * within:g} %; on a quieter "
                f"machine: evonas measure {shlex.quote(str(folder))} --front"
            )


def _again(description: Mapping[str, Any], evaluations: pd.DataFrame, measured: pd.DataFrame) -> Iterator[str]:
    """How what was measured later compares with the rows; with tables, the command that searched says it."""
    targets = [target for target in description["targets"] if target not in description["tables"]]
    for row in analysis.mismatch(evaluations, measured, targets).to_dict("records"):
        if row["networks"]:
            tau = row["kendall_tau"]
            order = "" if pd.isna(tau) else f"; Kendall tau of the two orders {tau:.2f}"
            yield (
                f"measured again on {row['target']}: {counted(row['networks'], 'network')}, on average "
                f"{100 * row['mean_error']:.1f} % from what the search recorded{order}"
            )


def _intervals(description: Mapping[str, Any]) -> Iterator[str]:
    """Which intervals there are of what was learnt, and of which numbers there is none."""
    if description["evaluator"]:
        return
    learnt = [o["column"] for o in description["objectives"] if o["column"] in description["task"]["metrics"]]
    shares = analysis.shares(description)
    if known := [name for name in learnt if name in shares]:
        examples = description["validation"]["examples"]
        yield f"95 % intervals of {', '.join(known)}: binomial, of {examples:,} validation examples"
    if none := [name for name in learnt if name not in shares]:
        recorded = "only shares of right or wrong answers have one"
        why = recorded if description.get("validation") else "the run did not record its validation examples"
        yield f"{', '.join(none)} {'has' if len(none) == 1 else 'have'} no interval: {why}"
