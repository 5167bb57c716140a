"""What the objectives of competing networks would be, had chance gone otherwise: other examples, other latencies.

Examples are drawn with replacement, the same ones for all networks, so that what is hard for all of them tells none of
them apart (the paired bootstrap; Efron and Tibshirani, 1993); of windows in blocks of neighbours (`neighbours.py`).
Latencies are drawn from their 95 % intervals. Every draw comes from a keyed stream: the same record gives the same
numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas import neighbours
from evonas.analysis.contenders import DEVIATIONS, Reals, contenders, corners, spread
from evonas.analysis.frames import able, need
from evonas.analysis.trained_metrics import UNKNOWN, Learnt, Scores, trained
from evonas.scores import MOST_EXAMPLES, decoded
from evonas.seeding import stream

DRAWS = 1000
"""A probability of a half is then known to within 0.03 (95 %)."""
WEIGHTS_BYTES = 2**26
NETWORKS = 1024
"""Whose scores are unpacked at a time."""

INTERVAL, EXACT = "interval", "exact"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The objectives of the candidates that compete for a front, in each of many draws.

    Args:
        candidates: (n,) indices of the fully trained, feasible ones, without those that come too little near the front
            for any noise.
        signs: of each objective 1, or -1 where it is maximised.
        values: of each objective (draws, n), or (1, n) of what is the same in each draw; in its own unit.
        noise: objective -> where its noise is known from: `scores` (of the same examples for all), `binomial` (a share,
            each network by itself), `mixed` (some candidates have scores), `interval` (of a latency), `exact`,
            `unknown`.
        draws: how many.
    """

    candidates: NDArray[np.int64]
    signs: tuple[int, ...]
    values: Mapping[str, Reals]
    noise: Mapping[str, str]
    draws: int

    @property
    def known(self) -> bool:
        """Whether the noise of every objective is."""
        return UNKNOWN not in self.noise.values()


def drawn(
    frame: pd.DataFrame,
    columns: Sequence[str],
    signs: Sequence[int],
    description: Mapping[str, Any],
    scores: Scores | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Drawn:
    """Draw examples and latencies, for all candidates that compete.

    Args:
        frame: rows of `evaluations`.
        columns: the objectives.
        signs: of each 1, or -1 where it is maximised.
        description: the run's run.json.
        scores: of the candidates that have some.
        draws: how many.
        seed: another one gives other draws.
    """
    rows = able(frame)
    need(frame, columns)
    learnt = trained(rows, [name for name in columns if name in description["task"]["metrics"]], description, scores)
    noise = {own.name: own.noise for own in learnt}
    near = contenders(*_corners(rows, columns, signs, learnt)) if len(rows) else np.zeros(0, bool)
    rows, learnt = rows[near], [own.at(near) for own in learnt]
    found = _drawn_examples(rows, learnt, draws, seed)
    for name in columns:
        if name not in found:
            found[name] = _measured(rows, name, draws, seed)
            noise[name] = INTERVAL if len(found[name]) > 1 else EXACT
    candidates = rows["candidate"].to_numpy(np.int64)
    return Drawn(candidates, tuple(signs), {name: found[name] for name in columns}, noise, draws)


def _corners(rows: pd.DataFrame, columns: Sequence[str], signs: Sequence[int], learnt: Sequence[Learnt]) -> list[Reals]:
    far = {own.name: own.far for own in learnt}
    for name in columns:
        value, off = rows[name].to_numpy(float), _spread(rows, name)
        if off is not None:
            far[name] = value * np.exp(-DEVIATIONS * off), value * np.exp(DEVIATIONS * off)
    return corners({name: rows[name].to_numpy(float) for name in columns}, far, signs)


def _drawn_examples(rows: pd.DataFrame, learnt: Sequence[Learnt], draws: int, seed: int) -> dict[str, Reals]:
    """(draws, networks) values of each trained metric, all of the same examples."""
    found = {}
    for own in learnt:
        scored, values = own.scored, np.repeat(own.value[None], draws, axis=0)
        if scored.any():
            values[:, scored] = _bootstrapped(own.at(scored), draws, seed)
        if own.share:
            indices = rows["candidate"].to_numpy()[~scored]
            values[:, ~scored] = _by_itself(indices, own.at(~scored), draws, seed)
        found[own.name] = values
    return found


def _bootstrapped(own: Learnt, draws: int, seed: int) -> Reals:
    """(draws, networks) values of a metric, of networks that have scores.

    Where a sample of the examples is kept, it is the metric of all of them and how the draw differs from the sample,
    less by the root of the share: what is of more examples has less noise. A sample of windows of which neighbours
    still overlap has as much as all of them.
    """
    size = min(own.examples, MOST_EXAMPLES)
    together = max(1, own.block * size // own.examples)
    means, now = _resampled(own.data, size, draws, seed, together)
    if own.examples > size and together == 1:
        means = own.mean + (means - now) * np.sqrt(size / own.examples)
    return own.reduced(means)


def _resampled(data: Sequence[bytes], size: int, draws: int, seed: int, together: int = 1) -> tuple[Reals, Reals]:
    """(draws, networks) means of the draws, `together` neighbours at once, and (networks,) of those at hand."""
    means, now = np.empty((draws, len(data))), np.empty(len(data))
    for first, weights in _weights(size, draws, seed, together):
        for start in range(0, len(data), NETWORKS):
            block = np.stack([decoded(one) for one in data[start : start + NETWORKS]]).astype(np.float32)
            part = slice(start, start + len(block))
            means[first : first + len(weights), part] = (weights @ block.T) / np.float64(size)
            now[part] = block.mean(1, dtype=np.float64)
    return means, now


def _weights(size: int, draws: int, seed: int, block: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """How often each example is drawn, of some draws at a time, each of as many examples as there are."""
    step = max(1, WEIGHTS_BYTES // (4 * size))
    for first in range(0, draws, step):
        rng, count = stream(seed, "bootstrap", first), min(step, draws - first)
        weights = np.empty((count, size), np.float32)
        for one in weights:
            one[:] = np.bincount(neighbours.drawn(rng, size, block), minlength=size)
        yield first, weights


def _by_itself(candidates: NDArray[np.int64], own: Learnt, draws: int, seed: int) -> Reals:
    """(draws, networks) shares of as many examples, of each network without regard to the others."""
    streams = [stream(seed, f"binomial {own.name}", int(index)) for index in candidates]
    n = max(1, own.examples // own.block)
    found = [rng.binomial(n, p, draws) / n for rng, p in zip(streams, own.value, strict=True)]
    return np.array(found, np.float64).reshape(len(candidates), draws).T


def _measured(rows: pd.DataFrame, name: str, draws: int, seed: int) -> Reals:
    """(draws, networks) of what depends on a latency, which is log-normal; else (1, networks).

    The throughput is drawn with the latency of its target.
    """
    value, off = rows[name].to_numpy(float)[None], _spread(rows, name)
    if off is None:
        return value
    metric, _, target = name.partition("[")
    streams = [stream(seed, f"latency[{target}", int(index)) for index in rows["candidate"]]
    normal = np.array([rng.standard_normal(draws) for rng in streams]).T
    found: Reals = value * np.exp((1 if metric == "latency_ms" else -1) * off * normal)
    return found


def _spread(rows: pd.DataFrame, name: str) -> Reals | None:
    """The noise of what depends on a latency; None of what does not, or has no interval."""
    metric, bracket, target = name.partition("[")
    return spread(rows, bracket + target) if metric in ("latency_ms", "examples_per_s") else None
