import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas import analysis
from evonas.analysis import bands, diversity, hypervolume, lifespans, lineage, progress, survival
from evonas.errors import UserError
from tests.analysis.frames import COLUMNS, SIGNS, evaluations

FAR = {"error": 5.0, "params": 5.0}


def populations(members: dict[int, list[int]]) -> pd.DataFrame:
    rows = [
        {"generation": generation, "candidate": index, "rank": rank, "crowding": 1.0}
        for generation, indices in members.items()
        for rank, index in enumerate(indices)
    ]
    return pd.DataFrame(rows)


def test_progress_by_hand() -> None:
    curve = progress(evaluations([(4, 4), (3, 3), (4.5, 4.5), (1, 4)]), COLUMNS, SIGNS, point=FAR)
    assert curve["hypervolume"].tolist() == [1, 4, 4, 6]  # (1, 4) adds 2 x 1 beside the 2 x 2 of (3, 3)
    assert curve["candidates"].tolist() == [1, 2, 3, 4]
    assert curve["hours"].tolist() == pytest.approx([1, 2, 3, 4])
    assert curve.attrs["reference"] == FAR


def test_progress_over_hours_goes_by_the_clock() -> None:
    frame = evaluations([(4, 4), (3, 3)], finished_at=[1e9 + 7200, 1e9 + 3600])
    assert progress(frame, COLUMNS, SIGNS, "hours", FAR)["hypervolume"].tolist() == [4, 4]
    assert progress(frame, COLUMNS, SIGNS, "candidates", FAR)["hypervolume"].tolist() == [1, 4]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=20))
def test_progress_ends_at_the_hypervolume_and_never_falls(values: list[tuple[float, float]]) -> None:
    frame = evaluations(values)
    curve = progress(frame, COLUMNS, SIGNS, point=FAR)["hypervolume"]
    assert curve.is_monotonic_increasing
    assert curve.iloc[-1] == pytest.approx(hypervolume(frame, COLUMNS, SIGNS, FAR))


def test_only_what_was_fully_trained_makes_progress() -> None:
    frame = evaluations([(4, 4), (3, 3)], status=["ok", "stopped"])
    assert progress(frame, COLUMNS, SIGNS, point=FAR)["hypervolume"].tolist() == [1, 1]


def test_an_unknown_axis_is_an_error() -> None:
    with pytest.raises(UserError, match="'candidates' or 'hours', not 'days'"):
        progress(evaluations([(1, 1)]), COLUMNS, SIGNS, "days")


def test_a_band_by_hand() -> None:
    runs = {"a": evaluations([(4, 4), (3, 3)]), "b": evaluations([(4, 4), (4, 4), (1, 1)])}
    band = bands(progress(analysis.together(runs), COLUMNS, SIGNS, point=FAR))
    # After two candidates 4 and 1: mean 2.5, standard deviation 2.1213, over the root of 2 is 1.5, times t of 12.706.
    assert band["candidates"].tolist() == [1, 2]
    assert band["mean"].tolist() == [1, 2.5]
    assert band["high"].tolist() == pytest.approx([1, 2.5 + 12.706 * 1.5])
    assert band["low"].tolist() == pytest.approx([1, 2.5 - 12.706 * 1.5])
    with pytest.raises(UserError, match="two runs or more, not 1"):
        bands(progress(analysis.together({"a": runs["a"]}), COLUMNS, SIGNS, point=FAR))


def test_lineage_by_hand() -> None:
    frame = evaluations([(1, 1)] * 6, parents=[[], [], [0, 1], [1], [2], [3]])
    assert lineage(frame, 4)["candidate"].tolist() == [0, 1, 2, 4]
    with pytest.raises(UserError, match="no evaluated candidate 9"):
        lineage(frame, 9)
    with pytest.raises(UserError, match="one run, the frame has 2"):
        lineage(analysis.together({"a": frame, "b": frame}), 4)


def test_survival_by_hand() -> None:
    # Generations of two: 0 and 1 are evaluated in the first, 2 and 3 in the second, 4 and 5 in the third.
    table = survival(populations({1: [0, 1], 2: [2, 0], 3: [0, 4]}), evaluations([(1, 1)] * 6))
    assert table["newcomers"].tolist() == [2, 1, 1]
    assert table["left"].tolist() == [0, 1, 1]
    assert table["mean_age"].tolist() == [0, 0.5, 1]
    assert table["oldest"].tolist() == [0, 1, 2]
    assert table["first_rank"].tolist() == [1, 1, 1]


def test_lifespans_by_hand() -> None:
    table = lifespans(populations({1: [0, 1], 2: [2, 0], 3: [0, 4]}))
    assert table.to_dict("list")["candidate"] == [0, 1, 2, 4]
    assert table.iloc[0].to_dict() == {"candidate": 0, "first": 1, "last": 3, "generations": 3}


def test_diversity_by_hand() -> None:
    arch = ['{"a": 1, "b": "x"}', '{"a": 1, "b": "y"}', '{"a": 2}']
    frame = evaluations([(1, 1)] * 3, arch=arch)
    table = diversity(populations({1: [0, 1], 2: [0, 1, 2], 3: [0]}), frame)
    # Of pairs: 0-1 differ in b, 0-2 and 1-2 in a and b.
    assert table["distance"].tolist() == pytest.approx([0.5, (0.5 + 1 + 1) / 3, 0])
    assert table["entropy"].tolist() == pytest.approx([0.5, (0.9183 + 1.58496) / 2, 0], abs=1e-4)
