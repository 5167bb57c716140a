"""The stop rule, on clocks that the tests hold in their hands."""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.measuring.interleaved_timing import MAX_BLOCKS, MIN_BLOCKS, compare, interval, warm_up


class Machine:
    """Passes whose time is `base` x the machine's slowness at that moment x some noise."""

    def __init__(self, noise: float = 0.0, slow: float = 1.0, period: int = 0, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.noise, self.slow, self.period = noise, slow, period
        self.calls = 0

    def network(self, base: float) -> "Network":
        return Network(self, base)


class Network:
    def __init__(self, machine: Machine, base: float) -> None:
        self.machine, self.base = machine, base

    def __call__(self, count: int) -> Sequence[float]:
        machine = self.machine
        machine.calls += 1
        drift = machine.slow if machine.period and machine.calls // machine.period % 2 else 1.0
        return [self.base * drift * (1 + abs(machine.random.gauss(0, machine.noise))) for _ in range(count)]


def test_the_interval_of_a_median_is_that_of_the_tables() -> None:
    # Conover 1999, table A3: 95 % for n = 20 is from the 6th to the 15th, for n = 11 from the 2nd to the 10th
    assert interval(range(1, 21)) == (6, 15)
    assert interval(range(1, 12)) == (2, 10)
    assert interval([3.0]) == (3.0, 3.0)


@given(st.integers(6, 300))
def test_the_interval_covers_the_median_in_95_of_100_cases_and_is_the_smallest_that_does(n: int) -> None:
    low, high = interval(range(n))
    assert low + high == n - 1

    def missed(outside: int) -> float:
        return sum(comb(n, i) for i in range(outside + 1)) / 2**n

    assert missed(int(low)) <= 0.025 < missed(int(low) + 1)


def test_equal_passes_settle_with_the_fewest_blocks() -> None:
    machine = Machine()
    found = compare(machine.network(3.0), machine.network(2.0), within=0.01, seconds=60)
    assert found.settled
    assert (found.ratio, found.low, found.high, found.tail) == (1.5, 1.5, 1.5, 1.0)
    assert len(found.samples) == MIN_BLOCKS * 3  # a block of 8 ms holds 3 passes of 3 ms
    assert len(found.others) == MIN_BLOCKS * 4


def test_a_drift_that_both_feel_does_not_show_in_the_ratio() -> None:
    machine = Machine(noise=0.01, slow=3.0, period=20)
    found = compare(machine.network(1.5), machine.network(1.0), within=0.02, seconds=60)
    assert found.settled
    assert found.ratio == pytest.approx(1.5, rel=0.02)
    assert max(found.samples) > 4  # and in the samples it does


def test_noise_takes_more_blocks_and_the_interval_is_within_the_bound() -> None:
    lengths = []
    for noise in (0.005, 0.05, 0.1):
        machine = Machine(noise=noise)
        found = compare(machine.network(1.5), machine.network(1.0), within=0.01, seconds=60)
        assert found.settled
        assert max(found.high - found.ratio, found.ratio - found.low) <= 0.01 * found.ratio
        lengths.append(len(found.samples))
    assert all(a < b for a, b in pairwise(lengths))


def test_what_cannot_settle_says_so() -> None:
    machine = Machine(noise=0.5)
    found = compare(machine.network(1.5), machine.network(1.0), within=0.0001, seconds=60)
    assert not found.settled
    assert len(found.others) >= MAX_BLOCKS * 5
    assert found.low < found.ratio < found.high


def test_an_interval_that_is_enough_ends_it() -> None:
    machine = Machine(noise=0.2)
    asked: list[tuple[float, float]] = []

    def is_below_two(low: float, high: float) -> bool:
        asked.append((low, high))
        return high < 2 or low > 2

    found = compare(machine.network(1.5), machine.network(1.0), within=0.001, seconds=60, enough=is_below_two)
    assert (found.settled, found.told) == (False, True)
    assert found.high < 2
    assert asked[-1] == (found.low, found.high)
    assert len(found.others) < MAX_BLOCKS


def test_short_of_time_the_blocks_are_short() -> None:
    """Eleven of each have to fit, for the interval to be what it says."""
    machine = Machine()
    found = compare(machine.network(0.1), machine.network(0.1), within=0.02, seconds=0.05)
    assert len(found.samples) == MIN_BLOCKS * round(1e3 * 0.75 * 0.05 / (2 * MIN_BLOCKS) / 0.1)


def test_a_slow_network_gets_its_eleven_blocks_and_says_if_that_was_not_enough() -> None:
    machine = Machine(noise=0.5)
    found = compare(machine.network(100.0), machine.network(1.0), within=0.001, seconds=0.0)
    assert not found.settled
    assert len(found.samples) == MIN_BLOCKS  # blocks of one pass
    assert len(found.others) > MIN_BLOCKS * 50  # of the other as many as take about as long


def test_the_ninth_decile() -> None:
    def some_are_slow(count: int) -> Sequence[float]:
        return [1.0] * (count - 2) + [1.6] * 2 if count == 8 else [1.0] * count

    found = compare(some_are_slow, Machine().network(1.0), within=0.02, seconds=60)
    assert (found.ratio, found.tail) == (1.0, 1.6)


def test_warm_up_goes_on_until_two_blocks_agree() -> None:
    times = iter([9.0, 7.0, 5.0, 4.0, 3.0, 2.0, 1.01, 1.0])
    blocks: list[int] = []

    def warming(count: int) -> Sequence[float]:
        if count < 8:  # before it is known how many make a block
            return [1.0] * count
        blocks.append(count)
        return [next(times)] * count

    warm_up(warming, Machine().network(1.0), seconds=60)
    assert next(times, None) is None
    assert len(blocks) == 8


@pytest.mark.parametrize(("own", "other"), [(3.1, 0.53), (0.53, 3.1)])
def test_slices_of_time_that_a_system_takes_away_hit_both_alike(own: float, other: float) -> None:
    """Every 4 ms something else runs for 4 ms: a median of single passes would see it in the long ones alone."""

    class Sliced:
        def __init__(self) -> None:
            self.now = 0.0

        def network(self, base: float) -> Callable[[int], Sequence[float]]:
            return lambda count: [self._pass(base) for _ in range(count)]

        def _pass(self, left: float) -> float:
            start = self.now
            while left > 0:
                self.now += 4 - (self.now % 4) if self.now // 4 % 2 else 0  # wait for our slice
                part = min(left, 4 - self.now % 4)
                self.now += part
                left -= part
            return self.now - start

    machine = Sliced()
    found = compare(machine.network(own), machine.network(other), within=0.01, seconds=60)
    assert found.ratio == pytest.approx(own / other, rel=0.2)  # by medians of single passes it is twice or half as much


def test_who_comes_first_alternates() -> None:
    order = []

    def named(name: str) -> "Named":
        return Named(name)

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, count: int) -> Sequence[float]:
            order.append(self.name)
            return [1.0] * count

    compare(named("a"), named("b"), within=0.02, seconds=60)
    assert order[-4:] in (["a", "b", "b", "a"], ["b", "a", "a", "b"])
