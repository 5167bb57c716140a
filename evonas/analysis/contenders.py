"""Which candidates come so near to the front that chance may put them on it.

Of thousands of candidates most are behind another one by more than any noise; they are on the front in no draw and keep
nobody else off it, so that only the others have to be drawn.
"""

from collections.abc import Mapping, Sequence

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.intervals import Z
from evonas.scores import decoded

DEVIATIONS = 8
"""Of each number: what is further off does not happen in a thousand draws, nor in a billion."""
Reals = NDArray[np.float64]


def contenders(best: Reals, worst: Reals) -> NDArray[np.bool_]:
    """Those that no other dominates even if the other has bad luck in everything and they have good luck.

    Args:
        best: (candidates, objectives) minimised values as good as they may be.
        worst: the same, as bad as they may be.

    Returns:
        (candidates,) with those that may be on the front.
    """
    sure = worst[moocore.is_nondominated(worst)] if len(worst) else worst
    off = np.zeros(len(best), bool)
    for member in sure:
        off |= (member <= best).all(1) & (member < best).any(1)
    return ~off


def deviation_of_mean(data: Sequence[bytes], examples: int) -> Reals:
    """(networks,) standard deviations of the mean of scores over so many examples, of each network."""
    found = [decoded(one).std(dtype=np.float64) / np.sqrt(examples) for one in data]
    return np.array(found, np.float64)


def deviation_of_share(share: Reals, examples: int) -> Reals:
    """(networks,) standard deviations of a share of so many examples."""
    return np.sqrt(share * (1 - share) / examples)


def spread(rows: pd.DataFrame, target: str) -> Reals | None:
    """(candidates,) standard deviation of the logarithm of a latency, such that 95 % are in its recorded interval; 0 of
    one without interval, None where the target has none at all.

    Args:
        rows: of `evaluations`.
        target: as in the names of its columns, "[cpu]".
    """
    ends = [f"latency_{end}_ms{target}" for end in ("low", "high")]
    if not all(end in rows and rows[end].notna().any() for end in ends):
        return None
    low, high = (rows[end].to_numpy(float) for end in ends)
    usable = (low > 0) & (high >= low)
    found: Reals = np.log(np.where(usable, high, 1.0) / np.where(usable, low, 1.0)) / (2 * Z)
    return found


def corners(values: Mapping[str, Reals], far: Mapping[str, tuple[Reals, Reals]], signs: Sequence[int]) -> list[Reals]:
    """The best and the worst of each candidate, (candidates, objectives), minimised.

    Args:
        values: of each objective, (candidates,).
        far: of those with noise, how low and how high the value may be.
        signs: of each objective 1, or -1 where it is maximised.
    """
    ends = [
        sorted((sign * low, sign * high), key=lambda end: float(end.sum()))
        for sign, (low, high) in zip(signs, (far.get(name, (own, own)) for name, own in values.items()), strict=True)
    ]
    return [np.stack(side, axis=1) for side in zip(*ends, strict=True)]
