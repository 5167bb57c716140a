"""How sure a front is: who is on it by more than chance, and who cannot be told from whom.

The noise is that of the validation examples and of the latencies. Neither another training of the same network is in
it, nor the luck of a network that was chosen by these examples.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.contenders import Reals, contenders
from evonas.analysis.fronts import front as front_of
from evonas.analysis.intervals import ends, independent, shares, wilson
from evonas.analysis.resampling import EXACT, INTERVAL, Drawn, drawn
from evonas.analysis.trained_metrics import BINOMIAL, MIXED, SCORES, UNKNOWN, Scores

TAIL = 0.025
"""On either side of a 95 % interval."""


def p_front(of: Drawn) -> "pd.Series[float]":
    """The probability of each competing candidate to be on the front, given the noise: the share of draws in which none
    of the others dominates it; missing where the noise of an objective is unknown.

    Args:
        of: draws of all candidates that compete.

    Returns:
        By candidate; whoever is not among them has no chance.
    """
    values = [sign * own for sign, own in zip(of.signs, of.values.values(), strict=True)]
    found = np.full(len(of.candidates), np.nan)
    if of.known and len(found):
        best, worst = (np.stack([end(own, axis=0) for own in values], axis=1) for end in (np.min, np.max))
        near = contenders(best, worst)
        found = np.zeros(len(near))
        found[near] = _shares([own[:, near] for own in values])
    return pd.Series(found, index=pd.Index(of.candidates, name="candidate"), name="p_front")


def certainty(
    frame: pd.DataFrame,
    columns: Sequence[str],
    signs: Sequence[int],
    description: Mapping[str, Any],
    scores: Scores | None = None,
    of: Drawn | None = None,
) -> pd.DataFrame:
    """How sure each member of a front is.

    Two members are told apart in a trained metric where the 95 % interval of their difference over the draws does not
    hold 0, in a latency where their intervals do not overlap, in what is exact where they differ. They are
    indistinguishable where no objective tells them apart.

    Args:
        frame: rows of `evaluations`.
        columns: the objectives.
        signs: of each 1, or -1 where it is maximised.
        description: the run's run.json.
        scores: of the candidates that have some.
        of: the draws, where they are at hand.

    Returns:
        A row a member, in the order of `front`: `candidate`; each objective with the ends of its 95 % interval
        (`ends`), which are missing where they are unknown and the value where it is exact; `p_front`;
        `indistinguishable`, the members that it cannot be told from; and `NAME_indistinguishable` of each trained
        objective, the members that this one cannot be told from by that alone. Lists are None where the noise is
        unknown.
    """
    of = of or drawn(frame, columns, signs, description, scores)
    members = front_of(frame, columns, signs)
    places = pd.Index(of.candidates).get_indexer(pd.Index(members["candidate"]))
    found = members[["candidate"]].reset_index(drop=True)
    alike: dict[str, NDArray[np.bool_]] = {}
    for name in columns:
        own = of.values[name][:, places]
        low, high = _interval(members, name, own, of.noise[name], description)
        found[name], found[ends(name)[0]], found[ends(name)[1]] = members[name].to_numpy(), low, high
        alike[name] = _alike(own, low, high, of.noise[name])
    found["p_front"] = p_front(of).reindex(found["candidate"]).to_numpy()
    both = np.logical_and.reduce(list(alike.values())) if alike else np.ones((len(found), len(found)), bool)
    found["indistinguishable"] = _others(found["candidate"], both, of.known)
    for name in columns:
        if of.noise[name] in (SCORES, MIXED, BINOMIAL, UNKNOWN):
            known = of.noise[name] != UNKNOWN
            found[f"{name}_indistinguishable"] = _others(found["candidate"], alike[name], known)
    return found


def _shares(values: Sequence[Reals]) -> Reals:
    """The share of draws in which each candidate is on the front."""
    draws = max(map(len, values))
    on = np.zeros(values[0].shape[1])
    for draw in range(draws):
        at = np.stack([own[draw % len(own)] for own in values], axis=1)
        on += moocore.is_nondominated(at, keep_weakly=True)
    return on / draws


def _interval(
    members: pd.DataFrame, name: str, own: Reals, noise: str, description: Mapping[str, Any]
) -> tuple[Reals, Reals]:
    """The 95 % interval of an objective of each member.

    A share keeps its binomial interval, which a bootstrap is too narrow for near 0: where no example is wrong, none
    that is drawn is either; of examples that overlap it is that of as many as do not.
    """
    value = members[name].to_numpy(float)
    if name in shares(description) and noise != EXACT:
        return wilson(value, independent(description))
    if noise == SCORES:
        low, high = np.quantile(own, [TAIL, 1 - TAIL], axis=0) if own.shape[1] else (value, value)
        return low, high
    if noise == INTERVAL:
        if name.startswith("latency_ms["):
            return members[ends(name)[0]].to_numpy(float), members[ends(name)[1]].to_numpy(float)
        low, high = np.quantile(own, [TAIL, 1 - TAIL], axis=0) if own.shape[1] else (value, value)
        return low, high
    return (value, value) if noise == EXACT else (np.full_like(value, np.nan), np.full_like(value, np.nan))


def _alike(own: Reals, low: Reals, high: Reals, noise: str) -> NDArray[np.bool_]:
    """(members, members): which cannot be told apart by one objective."""
    if noise in (EXACT, INTERVAL, UNKNOWN):
        overlap: NDArray[np.bool_] = (low[:, None] <= high) & (low <= high[:, None])
        return overlap
    found = np.empty((own.shape[1], own.shape[1]), bool)
    for i in range(own.shape[1]):
        difference = own - own[:, i : i + 1]
        found[i] = ((difference <= 0).mean(0) > TAIL) & ((difference >= 0).mean(0) > TAIL)
    return found


def _others(candidates: "pd.Series[int]", alike: NDArray[np.bool_], known: bool) -> "pd.Series[Any]":
    """The candidates that each is like, itself aside."""
    names = candidates.to_numpy()
    off = alike & ~np.eye(len(names), dtype=bool)
    return pd.Series([[int(i) for i in names[row]] if known else None for row in off], dtype=object)
