"""What is to be known of the weights of re-used networks: which were trained again, and how that came out."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from evonas.driver.founders import REUSED
from evonas.store import ORIGIN, Folder, read_retrained
from evonas.text import counted


def about_weights(description: Mapping[str, Any], front: pd.DataFrame, folder: Folder) -> list[str]:
    """Lines for people, to be shown beside the front of a run; none of a run that re-uses nothing.

    Args:
        description: its run.json.
        front: its rows that are on the front.
        folder: of the run.

    Raises:
        UserError: what the run says of it is damaged.
    """
    if not description.get(ORIGIN):
        return []
    members = {*front["candidate"]}
    again = {index: found for index, found in read_retrained(folder).items() if index in members}
    lost = front[front["weights_sha256"].isna() & (front["operator"] == REUSED)]
    without = 0 if description["evaluator"] else len({*lost["candidate"]} - again.keys())
    return [*_retrained(again), *_without_weights(without, folder)]


def _retrained(retrained: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    same = sum(not found["message"] for found in retrained.values())
    if same:
        yield f"{counted(same, 're-used network')} of the front trained again for the weights: equal to the bit"
    for candidate, found in sorted(retrained.items()):
        if found["message"]:
            yield f"candidate {candidate}, re-used and trained again for its weights: {found['message']}"


def _without_weights(count: int, folder: Folder) -> Iterator[str]:
    """Those that were not trained again, because the search was stopped before its end."""
    if count:
        yield (
            f"the weights of {counted(count, 're-used network')} of the front are gone; they are trained again when "
            f"the search ends with nothing in work: evonas resume {shlex.quote(str(folder))} --set budget.at_end=finish"
        )
