import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas import analysis
from evonas.analysis import dominated, front, hypervolume, picks, reference, what_if
from evonas.errors import UserError
from tests.analysis.frames import COLUMNS, SIGNS, evaluations

# The first three are a front; the fourth is behind the second and third, the last behind all.
FIVE = [(1.0, 4.0), (2.0, 2.0), (4.0, 1.0), (4.0, 3.0), (5.0, 5.0)]
VALUES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)


def test_the_front_is_by_the_first_objective() -> None:
    assert front(evaluations(FIVE[::-1]), COLUMNS, SIGNS)["candidate"].tolist() == [4, 3, 2]


def test_a_maximised_objective_turns_the_front_round() -> None:
    assert front(evaluations(FIVE), COLUMNS, [-1, -1])["candidate"].tolist() == [4]


def test_the_front_is_best_first_where_more_is_better() -> None:
    accuracy = evaluations([(0.7, 1.0), (0.9, 4.0), (0.8, 2.0), (0.8, 2.0)])
    assert front(accuracy, COLUMNS, [-1, 1])["candidate"].tolist() == [1, 2, 3, 0]


def test_only_the_fully_trained_and_feasible_count() -> None:
    frame = evaluations(FIVE, status=["stopped", "ok", "ok", "ok", "ok"], violation=[0.0, 0.5, 0.0, 0.0, 0.0])
    assert front(frame, COLUMNS, SIGNS)["candidate"].tolist() == [2]


def test_dominated_counts_by_hand() -> None:
    frame = dominated(evaluations(FIVE), COLUMNS, SIGNS)
    assert frame["dominated_by"].tolist() == [0, 0, 0, 2, 4]
    assert frame["dominates"].tolist() == [1, 2, 2, 1, 0]


@given(VALUES)
def test_the_front_is_whom_nobody_dominates(values: list[tuple[float, float]]) -> None:
    frame = evaluations(values)
    counts = dominated(frame, COLUMNS, SIGNS)
    assert set(front(frame, COLUMNS, SIGNS)["candidate"]) == set(counts[counts["dominated_by"] == 0]["candidate"])
    assert counts["dominates"].sum() == counts["dominated_by"].sum()


def test_hypervolume_by_hand() -> None:
    # Up to (5, 5), by slices of error: 1 to 2 has 1 of params below 5, 2 to 4 has 3, 4 to 5 has 4.
    assert hypervolume(evaluations(FIVE), COLUMNS, SIGNS, {"error": 5, "params": 5}) == 1 * 1 + 2 * 3 + 1 * 4


def test_hypervolume_of_a_maximised_objective() -> None:
    assert hypervolume(evaluations([(0.75, 2.0)]), COLUMNS, [-1, 1], {"error": 0.25, "params": 4}) == 0.5 * 2


@given(VALUES)
def test_hypervolume_counts_the_cells_of_a_grid(values: list[tuple[int, int]]) -> None:
    cells = {(x, y) for a, b in values for x in range(a, 7) for y in range(b, 7)}
    volume = hypervolume(evaluations(values), COLUMNS, SIGNS, {"error": 7, "params": 7})
    assert volume == pytest.approx(len(cells))


def test_the_reference_point_is_a_tenth_behind_the_first_generation() -> None:
    # Generation 1 is (1, 4) and (2, 2): worst 2 and 4, ranges 1 and 2.
    assert reference(evaluations(FIVE), COLUMNS, SIGNS) == pytest.approx({"error": 2.1, "params": 4.2})
    assert reference(evaluations(FIVE), COLUMNS, [-1, 1]) == pytest.approx({"error": 0.9, "params": 4.2})


def test_the_reference_point_stays_when_the_run_goes_on() -> None:
    frame = evaluations(FIVE)
    assert reference(frame, COLUMNS, SIGNS) == reference(frame.iloc[:2], COLUMNS, SIGNS)


def test_equal_values_have_a_reference_point_that_they_dominate() -> None:
    assert reference(evaluations([(1.0, 4.0), (1.0, 2.0)]), COLUMNS, SIGNS)["error"] == pytest.approx(1.1)


def test_a_first_generation_that_is_not_there_is_an_error() -> None:
    live = evaluations(FIVE, generation=pd.array([None] * 5, dtype="Int64"))
    with pytest.raises(UserError, match="give one"):
        reference(live, COLUMNS, SIGNS)
    with pytest.raises(UserError, match="no value for params"):
        hypervolume(live, COLUMNS, SIGNS, {"error": 5})


def test_picks_are_the_best_of_each_and_the_knee() -> None:
    best = picks(front(evaluations(FIVE), COLUMNS, SIGNS), COLUMNS, SIGNS)
    assert dict(zip(best["pick"], best["candidate"], strict=True)) == {"best error": 0, "best params": 2, "knee": 1}
    assert picks(evaluations([]), COLUMNS, SIGNS).empty


def test_what_if_selects_anew_and_names_what_was_not_trained() -> None:
    frame = evaluations(FIVE, status=["ok", "infeasible", "ok", "stopped", "ok"], violation=[0, 1, 0.5, 0, 0])
    answer = what_if(frame, COLUMNS, SIGNS, ["params<=3"])
    assert answer.front["candidate"].tolist() == [2]  # over the run's own limit, under this one
    assert answer.untrained["candidate"].tolist() == [1, 3]


def test_what_if_without_limits_is_the_front_of_all_that_was_trained() -> None:
    frame = evaluations(FIVE)
    assert what_if(frame, COLUMNS, SIGNS, []).front.equals(front(frame, COLUMNS, SIGNS))


@pytest.mark.parametrize("limit", ["parms<=3", "params", "params<=small"])
def test_a_limit_that_is_none_is_an_error(limit: str) -> None:
    with pytest.raises(UserError) as error:
        what_if(evaluations(FIVE), COLUMNS, SIGNS, [limit])
    assert "\n" not in str(error.value)


def test_an_unknown_objective_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'params'"):
        front(evaluations(FIVE), ["error", "param"], SIGNS)


def test_nothing_decided_has_an_empty_front() -> None:
    none = evaluations([])
    assert front(none, COLUMNS, SIGNS).empty
    assert dominated(none, COLUMNS, SIGNS).empty
    assert hypervolume(none, COLUMNS, SIGNS, {"error": 5, "params": 5}) == 0.0


def test_several_runs_have_one_front() -> None:
    both = analysis.together({"a": evaluations([(1.0, 4.0), (4.0, 4.0)]), "b": evaluations([(2.0, 2.0)])})
    best = front(both, COLUMNS, SIGNS)
    assert list(zip(best["run"], best["candidate"], strict=True)) == [("a", 0), ("b", 0)]
    assert np.isclose(hypervolume(both, COLUMNS, SIGNS, {"error": 5, "params": 5}), 1 * 1 + 3 * 3)
