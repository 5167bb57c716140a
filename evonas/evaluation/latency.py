"""How long one forward pass takes on a device: warm-up until it is steady, single passes timed, all samples kept."""

import time
from collections.abc import Callable, Iterator
from statistics import median, quantiles

Pass = Callable[[], float]
"""Runs one forward pass to its very end and says how many milliseconds it took."""

BLOCK = 5
AGREE = 0.05
WARM_UP_SHARE = 0.25
MIN_SAMPLES = 11
"""The fewest that bound a median (MLPerf inference rules, early stopping of the median)."""


def steady(run: Pass, seconds: float) -> None:
    """Passes until the medians of two successive blocks agree within 5 %, or the time is up; one pass at least."""
    end = time.perf_counter() + seconds
    before = 0.0
    while True:
        block = list(_until(run, BLOCK, end))
        now = median(block)
        if time.perf_counter() >= end or abs(now - before) <= AGREE * now:
            return
        before = now


def samples(run: Pass, count: int, seconds: float) -> tuple[float, ...]:
    """`count` times of single passes in milliseconds, warm-up before them; fewer, but 11, where the time is up.

    seconds: cap of the whole measurement; only the 11 passes of a very slow network go beyond it.
    """
    end = time.perf_counter() + seconds
    steady(run, WARM_UP_SHARE * seconds)
    return tuple(_until(run, count, end, MIN_SAMPLES))


def middle(times: tuple[float, ...]) -> tuple[float, float]:
    """Median and interquartile range."""
    low, _, high = quantiles(times, n=4, method="inclusive")
    return median(times), high - low


def _until(run: Pass, count: int, end: float, at_least: int = 1) -> Iterator[float]:
    for done in range(count):
        if done >= at_least and time.perf_counter() >= end:
            return
        yield run()
