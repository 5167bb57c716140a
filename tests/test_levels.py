"""Levels that are kept up against those that are sorted anew each time."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.objectives.levels import Levels
from evonas.records import Fitness
from tests.test_pareto import brute_ranks

SMALL = st.integers(0, 5).map(float)
ONE = st.tuples(SMALL, SMALL, st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.0]))


def fitness(index: int, one: tuple[float, float, float]) -> Fitness:
    """Some of the infeasible have no values: they were never trained."""
    return Fitness(index, 0, () if one[2] and one[0] > 2 else one[:2], one[2])


def sorted_anew(fitnesses: list[Fitness], need: float) -> list[set[int]]:
    """The fewest levels that hold so many, by the ranks of all."""
    if not fitnesses:
        return []
    ranks = brute_ranks(fitnesses)
    held, levels = 0, []
    for rank in range(max(ranks) + 1):
        levels.append({s.index for s, r in zip(fitnesses, ranks, strict=True) if r == rank})
        held += len(levels[-1])
        if held >= need:
            break
    return levels


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ONE, st.integers(0, 3)), max_size=40), st.sampled_from([0.2, 0.5, 1.0]), st.booleans())
def test_levels_are_those_of_sorting_anew_after_each_change(
    steps: list[tuple[tuple[float, float, float], int]], share: float, fixed: bool
) -> None:
    def need(count: int) -> float:
        return 4 if fixed else share * count

    levels, there = Levels(need), dict[int, Fitness]()
    for index, (one, leave) in enumerate(steps):
        there[index] = fitness(index, one)
        levels.add(there[index])
        if leave == 0:
            gone = random.Random(index).choice(list(there))
            levels.discard(gone)
            del there[gone]
        found = [{s.index for s in level} for level in levels.needed]
        assert found == sorted_anew(list(there.values()), need(len(there)))
        assert len(levels) == len(there)


def test_many_random_ones_in_three_objectives() -> None:
    rng = np.random.default_rng(0)
    levels, there = Levels(lambda count: count / 3), dict[int, Fitness]()
    for index, values in enumerate(rng.random((600, 3)).round(2)):
        there[index] = Fitness(index, 0, tuple(values), 0.0)
        levels.add(there[index])
        if index % 3 == 0:
            gone = int(rng.choice(list(there)))
            levels.discard(gone)
            del there[gone]
    found = [{s.index for s in level} for level in levels.needed]
    assert found == sorted_anew(list(there.values()), len(there) / 3)


def test_who_is_not_there_is_not_missed() -> None:
    levels = Levels(lambda count: 1)
    levels.discard(3)
    assert levels.needed == []
    assert len(levels) == 0
