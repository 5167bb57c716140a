import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas import analysis
from evonas.analysis import outcomes, stopping_audit, timeline, utilisation
from evonas.errors import UserError
from tests.analysis.frames import COLUMNS, SIGNS, evaluations

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), min_size=1, max_size=20)


def test_outcomes_by_hand() -> None:
    status = ["ok", "stopped", "failed:oom", "failed:crash", "infeasible"]
    gpus = [{"gpus": "0.5"}, {"gpus": "1"}, {}, {"gpus": "0.5"}, {}]
    table = outcomes(evaluations([(1, 1)] * 5, status=status, conditions=gpus)).set_index("outcome")
    assert table["candidates"].to_dict() == {"trained": 1, "stopped": 1, "infeasible": 1, "failed": 2}
    assert table["hours"].to_dict() == {"trained": 1, "stopped": 1, "infeasible": 1, "failed": 2}
    assert table["gpu_hours"].to_dict() == {"trained": 0.5, "stopped": 1, "infeasible": 0, "failed": 0.5}
    assert table["effort"].to_dict() == {"trained": 0.25, "stopped": 0.5, "infeasible": 0, "failed": 0.25}
    assert table["share"].sum() == pytest.approx(1)


def test_what_a_cache_saved() -> None:
    before = {"measured[cpu]": "before", "took_s[cpu]": "1800", "took_s[board]": "900", "gpus": "0.5"}
    both = {**before, "measured[board]": "before"}
    frame = evaluations([(1, 1)] * 3, status=["ok", "stopped", "ok"], conditions=[before, both, {"took_s[cpu]": "60"}])
    table = outcomes(frame).set_index("outcome")
    assert table["saved_hours"].to_dict() == {"trained": 0.5, "stopped": 0.75, "infeasible": 0, "failed": 0}
    assert table["saved_gpu_hours"].sum() == 0.625


def test_without_a_gpu_effort_is_of_hours() -> None:
    assert outcomes(evaluations([(1, 1)] * 4))["effort"].tolist() == [1, 0, 0, 0]
    assert outcomes(evaluations([]))["candidates"].sum() == 0


def test_one_that_ended_without_a_word_took_what_was_spent_on_it() -> None:
    lost = evaluations([(1, 1)], status=["failed:crash"], started_at=[0.0], train_s=[1800.0])
    assert outcomes(lost)["hours"].sum() == pytest.approx(0.5)
    assert timeline(lost)[["start", "end"]].iloc[0].tolist() == [0, 0.5]


def test_a_timeline_has_lanes_by_host() -> None:
    hosts = [{"host": "a"}, {"host": "a"}, {"host": "b"}, {"host": "a"}]
    start, end = [0.0, 1800.0, 0.0, 3600.0], [3600.0, 7200.0, 3600.0, 7200.0]
    frame = evaluations(
        [(1, 1)] * 4, conditions=hosts, started_at=[1e9 + s for s in start], finished_at=[1e9 + e for e in end]
    )
    table = timeline(frame).set_index("candidate").sort_index()
    assert table["lane"].tolist() == [0, 1, 0, 0]  # candidate 3 begins when 0 ends
    assert table["start"].tolist() == [0, 0.5, 0, 1]
    assert table["outcome"].unique().tolist() == ["trained"]


@given(SPANS)
def test_no_two_in_a_lane_overlap(spans: list[tuple[int, int]]) -> None:
    frame = spanned(spans)
    table = timeline(frame).sort_values(["lane", "start"])
    for _, lane in table.groupby("lane"):
        assert (lane["start"].to_numpy()[1:] >= lane["end"].to_numpy()[:-1]).all()
    assert table["lane"].max() + 1 == utilisation(frame)["workers"].iloc[0]


@given(SPANS, st.integers(1, 12))
def test_utilisation_keeps_all_the_work(spans: list[tuple[int, int]], bins: int) -> None:
    table = utilisation(spanned(spans), bins=bins)
    work = (table["busy"] * (table["end"] - table["start"])).sum()
    assert work == pytest.approx(sum(length for _, length in spans))
    assert (table["share"] <= 1 + 1e-9).all()


def test_utilisation_by_hand() -> None:
    table = utilisation(spanned([(0, 2), (0, 1), (1, 3)]), workers=4, bins=4)
    assert table["busy"].tolist() == pytest.approx([2, 2, 1, 1])
    assert table["share"].tolist() == pytest.approx([0.5, 0.5, 0.25, 0.25])
    with pytest.raises(UserError, match="1 or more"):
        utilisation(evaluations([(1, 1)]), workers=0)


def test_the_audit_by_hand() -> None:
    # By the first rung 0 is better than 1 and 1 than 2, all of one size; in the end 1 is best, then 0, then 2.
    frame = audited([(0.5, 0.3), (0.6, 0.2), (0.7, 0.4)], stopped=[0.9])
    row = stopping_audit(frame, COLUMNS, SIGNS).iloc[0]
    assert (row["rung"], row["reached"], row["stopped"], row["candidates"], row["pairs"]) == (0, 4, 1, 3, 3)
    assert row["agreement"] == pytest.approx(2 / 3)
    assert row["reversed"] == pytest.approx(1 / 3)
    assert row["kendall_tau"] == pytest.approx(1 / 3)
    assert row["front_lost"] == 1


def test_a_rung_that_says_it_all_agrees() -> None:
    row = stopping_audit(audited([(0.5, 0.3), (0.6, 0.4)], []), COLUMNS, SIGNS).iloc[0]
    assert (row["agreement"], row["reversed"], row["kendall_tau"], row["front_lost"]) == (1, 0, 1, 0)


def test_a_run_without_rungs_has_nothing_to_audit() -> None:
    assert stopping_audit(evaluations([(1, 1)]), COLUMNS, SIGNS).empty
    assert stopping_audit(evaluations([]), COLUMNS, SIGNS).empty


def test_rungs_of_several_runs_are_not_mixed() -> None:
    both = analysis.together({"a": evaluations([(1, 1)]), "b": evaluations([(1, 1)])})
    with pytest.raises(UserError, match="one run, the frame has 2"):
        stopping_audit(both, COLUMNS, SIGNS)


def test_several_runs_have_clocks_of_their_own() -> None:
    later = spanned([(5, 1)])
    both = analysis.together({"a": spanned([(0, 1)]), "b": later})
    assert timeline(both)["start"].tolist() == [0, 0]
    assert utilisation(both, bins=1)["share"].tolist() == [1, 1]


def spanned(spans: list[tuple[int, int]]):  # type: ignore[no-untyped-def]
    """Evaluations with a start and a length in hours."""
    start = 1e9 + 3600 * np.array([first for first, _ in spans], dtype=float)
    length = 3600 * np.array([length for _, length in spans], dtype=float)
    return evaluations([(1, 1)] * len(spans), started_at=start, finished_at=start + length)


def audited(trained: list[tuple[float, float]], stopped: list[float]):  # type: ignore[no-untyped-def]
    """Candidates of one size with errors at a rung and at the end, and others that stopped at that rung."""

    def rungs(*errors: float) -> list[dict[str, object]]:
        return [{"rung": i, "metrics": {"error": error, "params": 1.0}} for i, error in enumerate(errors)]

    values = [(last, 1.0) for _, last in trained] + [(error, 1.0) for error in stopped]
    return evaluations(
        values,
        status=["ok"] * len(trained) + ["stopped"] * len(stopped),
        rungs=[rungs(*both) for both in trained] + [rungs(error) for error in stopped],
    )
