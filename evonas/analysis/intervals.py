"""How far the numbers of a row are to be believed: 95 % intervals, and how many measurements settled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.store import screened_targets

Z = 1.959964
"""Of the normal distribution: 95 % lie within so many deviations."""


def wilson(
    share: Sequence[float] | NDArray[np.float64], examples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % interval of a share that was found on some examples (Wilson, J. Am. Stat. Assoc. 22, 1927).

    Args:
        share: of each network, from 0 to 1.
        examples: how many the share is of.

    Returns:
        Lower and upper ends. They are about the examples alone: not about another training, nor about the luck of a
        network that was chosen by them.
    """
    p = np.asarray(share, np.float64)
    centre = p + Z**2 / (2 * examples)
    half = Z * np.sqrt(p * (1 - p) / examples + Z**2 / (4 * examples**2))
    scale = 1 + Z**2 / examples
    return np.clip((centre - half) / scale, 0, 1), np.clip((centre + half) / scale, 0, 1)


def with_intervals(frame: pd.DataFrame, description: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of `evaluations` with two more columns, NAME_low and NAME_high, for each metric of the task that is a share
    of the validation examples.

    Args:
        frame: the rows.
        description: the run's run.json; one that does not say how many examples there are gives no columns.
    """
    found = dict[str, NDArray[np.float64]]()
    for name in shares(description):
        low, high = wilson(frame[name].to_numpy(float), independent(description))
        found |= {f"{name}_low": low, f"{name}_high": high}
    return frame.assign(**found)


def block(description: Mapping[str, Any]) -> int:
    """How many neighbouring validation examples are drawn together, for they overlap; 1 where each is by itself."""
    return int((description.get("validation") or {}).get("block", 1))


def independent(description: Mapping[str, Any]) -> int:
    """The validation examples of a run, or as many of them as do not overlap."""
    return max(1, int(description["validation"]["examples"]) // block(description))


def shares(description: Mapping[str, Any]) -> list[str]:
    """The metrics of a run's task that are a share of so many validation examples."""
    return list((description.get("validation") or {"shares": []})["shares"])


def ends(column: str) -> tuple[str, str]:
    """The columns with the ends of the interval of another column."""
    if column.startswith("latency_ms["):
        target = column.removeprefix("latency_ms")
        return f"latency_low_ms{target}", f"latency_high_ms{target}"
    return f"{column}_low", f"{column}_high"


def unsettled(frame: pd.DataFrame, targets: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many latencies did not come within the bound in time.

    Args:
        frame: rows of `evaluations`.
        targets: names.

    Returns:
        Target -> those that did not, and all that were measured to the end.
    """
    found = {}
    for target in targets:
        if f"settled[{target}]" in frame:
            own = frame[f"settled[{target}]"][~screened(frame, target)].dropna()
            found[target] = (int((own == 0).sum()), len(own))
    return found


def screened(frame: pd.DataFrame, target: str) -> "pd.Series[bool]":
    """Which latencies were measured for a short time only, since nothing hung on them.

    Args:
        frame: rows of `evaluations`; without conditions it says that none were.
        target: its name.
    """
    if "conditions" not in frame:
        return pd.Series(False, index=frame.index)
    return frame["conditions"].map(lambda conditions: target in screened_targets(conditions)).astype(bool)
