"""A forward pass is timed as a ratio to another network, which is measured at the same time.

What a busy machine does to one network it does to the other, so that the ratio stands where both times drift. Blocks of
the two alternate, both about as long; the result is the median over blocks of the ratio of the two medians of a block,
with its order-statistic interval. It is sampled until that is narrow enough, or the time is up, which the result says.

A system that takes the processor away does so in slices of time: of long passes it hits each, of short ones few, so
that their medians cannot be compared. Where a mean is far above the median of either network, means take their place.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, median

Passes = Callable[[int], Sequence[float]]
"""A function that runs so many forward passes, each to its very end, and says how many milliseconds each took."""
Block = tuple[Sequence[float], Sequence[float]]
"""Milliseconds of passes of the network, and of the other one."""
Enough = Callable[[float, float], bool]
"""Says of an interval whether it is narrow enough for what hangs on it."""

CONFIDENCE = 0.95
BLOCK_MS = 8.0
"""How long a block is, at most; that of a network which takes longer is one pass."""
SAMPLED_SHARE = 0.75
"""Blocks are so short that the fewest of them fit into this share of the time; the rest is for warm-up."""
MOST = 50
"""Passes in a block, at most."""
MIN_BLOCKS = 11
MAX_BLOCKS = 200
LOOKS = 1.25
"""The interval is looked at whenever there are so many times as many blocks as at the last look: one that is looked at
after each block is too narrow by chance too often."""
SLICED = 1.2
"""Mean over median of a network's passes from which the processor counts as taken away."""
AGREE = 0.02
"""Warm-up ends when the ratios of two successive blocks agree so well ..."""
WARM_UP_SHARE = 0.25
"""... or this share of the time is used up."""
WARM_UP_BLOCKS = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """A network beside another one.

    Args:
        ratio: of their times, median over blocks.
        low, high: its 95 % interval.
        tail: the ninth decile of the network's passes in multiples of their median.
        samples, others: milliseconds of single passes of the network, and of the other one, in order.
        settled: whether the interval came within the bound before the time was up.
        told: it was not sampled to the end, since the interval was enough.
    """

    ratio: float
    low: float
    high: float
    tail: float
    samples: tuple[float, ...]
    others: tuple[float, ...]
    settled: bool
    told: bool = False


def never(low: float, high: float) -> bool:
    """An interval that has not settled is never enough."""
    return False


def compare(run: Passes, other: Passes, within: float, seconds: float, enough: Enough = never) -> Comparison:
    """Alternate blocks of both until the 95 % interval of the ratio lies within `within` of it.

    Args:
        run: passes of the network.
        other: passes of the one that it is compared with.
        within: half-width of the interval as a share of the ratio.
        seconds: cap of the whole, warm-up included; only the 11 blocks of very slow networks go beyond it.
        enough: whether an interval tells what is to be known, be it as narrow as that or not.
    """
    end = time.perf_counter() + seconds
    block_ms = min(BLOCK_MS, 1e3 * SAMPLED_SHARE * seconds / (2 * MIN_BLOCKS))
    sizes = warm_up(run, other, WARM_UP_SHARE * seconds, block_ms)
    blocks: list[Block] = []
    look, settled, told = MIN_BLOCKS, False, False
    while not (settled or told):
        if len(blocks) >= MIN_BLOCKS and (len(blocks) >= MAX_BLOCKS or time.perf_counter() >= end):
            break
        blocks.append(_pair(run, other, sizes, len(blocks) % 2 == 1))
        if len(blocks) >= look:
            look = math.ceil(LOOKS * len(blocks))
            ratio, low, high = _estimate(blocks)
            settled = max(high - ratio, ratio - low) <= within * ratio
            told = enough(low, high)
    ratio, low, high = _estimate(blocks)
    samples = tuple(ms for own, _ in blocks for ms in own)
    others = tuple(ms for _, others in blocks for ms in others)
    tail = sorted(samples)[math.ceil(0.9 * len(samples)) - 1] / median(samples)
    return Comparison(ratio, low, high, tail, samples, others, settled, told and not settled)


def _estimate(blocks: Sequence[Block]) -> tuple[float, float, float]:
    """The ratio and its interval."""
    middle = fmean if any(map(_sliced, zip(*blocks, strict=True))) else median
    ratios = [middle(own) / middle(block) for own, block in blocks]
    return median(ratios), *interval(ratios)


def _sliced(blocks: Sequence[Sequence[float]]) -> bool:
    """Whether the processor was taken away for a good part of one network's passes."""
    passes = [ms for block in blocks for ms in block]
    return fmean(passes) > SLICED * median(passes)


def warm_up(run: Passes, other: Passes, seconds: float, block_ms: float = BLOCK_MS) -> tuple[int, int]:
    """Run passes of both until two blocks agree or the time is up.

    Args:
        run, other: as for `compare`.
        seconds: the time.
        block_ms: how long a block is.

    Returns:
        How many passes of each make a block.
    """
    end = time.perf_counter() + seconds
    run(1)
    other(1)  # first passes allocate, compile and choose kernels
    sizes = _sizes(min(run(3)), min(other(3)), block_ms)
    before, *_ = _estimate([_pair(run, other, sizes, False)])
    for _ in range(MAX_BLOCKS):
        now, *_ = _estimate([_pair(run, other, sizes, True)])
        if abs(now - before) <= AGREE * now or time.perf_counter() >= end:
            break
        before = now
    return sizes


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median of independent values follows from their order alone; it spans all of them where
    they are few.

    Conover, Practical Nonparametric Statistics, 1999, section 3.2: between the k-th smallest and the k-th largest, with
    the largest k for which a fair coin falls fewer than k times on one side with a chance of at most 2.5 %.
    """
    ordered = sorted(values)
    k = _rank(len(ordered))
    return ordered[k], ordered[-1 - k]


@cache
def _rank(n: int) -> int:
    """How many of n ordered values lie outside the interval at either end."""
    tail, chance, k = 0.0, 0.5**n, 0
    while True:
        tail += chance
        if tail > (1 - CONFIDENCE) / 2:
            return max(0, k - 1)
        k += 1
        chance *= (n - k + 1) / k


def _sizes(ms: float, other_ms: float, block_ms: float) -> tuple[int, int]:
    """Passes of each in a block, so that both take about as long."""
    short, long = sorted(max(each, 1e-6) for each in (ms, other_ms))
    block = max(long, min(block_ms, MOST * short))
    return max(1, round(block / max(ms, 1e-6))), max(1, round(block / max(other_ms, 1e-6)))


def _pair(run: Passes, other: Passes, sizes: tuple[int, int], other_first: bool) -> Block:
    """Run a block of each; which comes first alternates, so that neither gains by its place."""
    if other_first:
        others = other(sizes[1])
        return run(sizes[0]), others
    own = run(sizes[0])
    return own, other(sizes[1])
