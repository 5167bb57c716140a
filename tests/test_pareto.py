"""Ranks, fronts, cutoffs and hypervolume against hand-made answers and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.objectives import pareto
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.levels import RungCutoff
from evonas.objectives.objectives import dominates
from evonas.records import Fitness


def stand(*points: tuple[float, ...], violations: tuple[float, ...] = ()) -> list[Fitness]:
    return [Fitness(i, 0, p, violations[i] if violations else 0.0) for i, p in enumerate(points)]


def test_ranks_of_a_known_set() -> None:
    # (1,3) (2,2) (3,1) trade off; (2,3) is behind (2,2) and (1,3); (4,4) is behind (2,3).
    assert brute_ranks(stand((1, 3), (2, 2), (3, 1), (2, 3), (4, 4))) == [0, 0, 0, 1, 2]


def test_equal_points_share_a_rank() -> None:
    assert brute_ranks(stand((1, 1), (1, 1), (2, 2))) == [0, 0, 1]


def test_the_infeasible_rank_last_by_violation() -> None:
    fitnesses = stand((9, 9), (0, 0), (1, 1), (0, 1), violations=(0, 0.5, 0.2, 0.5))
    assert brute_ranks(fitnesses) == [0, 2, 1, 2]


def test_front_leaves_out_the_infeasible() -> None:
    fitnesses = stand((0, 0), (1, 2), (2, 1), (2, 2), violations=(1, 0, 0, 0))
    assert [s.index for s in pareto.front(fitnesses)] == [1, 2]
    assert pareto.front([]) == []


@pytest.mark.parametrize(
    ("reference", "volume"),
    [((4, 4), 6.0), ((2, 2), 0.0)],  # unit squares under the staircase (1,3) (2,2) (3,1), counted by hand
)
def test_hypervolume_of_a_staircase(reference: tuple[float, float], volume: float) -> None:
    assert pareto.hypervolume(stand((1, 3), (2, 2), (3, 1)), reference) == pytest.approx(volume)


def test_nothing_has_no_hypervolume() -> None:
    assert pareto.hypervolume([], (1, 1)) == 0.0


values = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=24)


@given(values, st.floats(0.05, 1))
def test_a_newcomer_is_outside_exactly_when_it_ranks_behind_the_share(points: list, keep: float) -> None:
    """The cutoff is all a worker needs: compare with ranking the newcomer among the rest, by brute force."""
    *known, newcomer = [Fitness(i, 0, p[:2], max(0, p[2] - 1)) for i, p in enumerate([*points, points[0]])]
    kept_up = RungCutoff(keep)
    kept_up.add(known)
    cutoff = kept_up.fitnesses
    if len(known) * keep < 1:
        assert cutoff == ()
        return
    ranks = brute_ranks(known)
    kept = next(k for k in range(len(known)) if sum(r <= k for r in ranks) >= keep * len(known) - 1e-9)
    beaten_by = [ranks[i] for i, other in enumerate(known) if dominates(other, newcomer)]
    rank = 1 + max(beaten_by) if beaten_by else 0
    assert is_stopped(newcomer, cutoff) == (rank > kept)


@given(values, st.integers(0, 24))
def test_a_front_and_others_have_the_front_of_all(points: list, known: int) -> None:
    fitnesses = [Fitness(i, 0, p[:2], max(0, p[2] - 1)) for i, p in enumerate(points)]
    extended = pareto.extended(pareto.front(fitnesses[:known]), fitnesses[known:])
    assert extended == pareto.front(fitnesses)


def brute_ranks(fitnesses: list[Fitness]) -> list[int]:
    """Peel fronts by comparing all pairs."""
    ranks = np.full(len(fitnesses), -1)
    rank = 0
    while (ranks < 0).any():
        left = [i for i in range(len(fitnesses)) if ranks[i] < 0]
        front = [i for i in left if not any(dominates(fitnesses[j], fitnesses[i]) for j in left)]
        ranks[front] = rank
        rank += 1
    return ranks.tolist()
