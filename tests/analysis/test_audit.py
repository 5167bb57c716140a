"""Known answers on frames made by hand: order, winner's curse, final fronts, random search, hours."""

import math

import numpy as np
import pandas as pd
import pytest

from evonas import analysis
from tests.analysis.frames import COLUMNS, SIGNS, evaluations

POINT = {"error": 1.0, "params": 10.0}


def finals(tests: dict[int, float], valid: float = 0.1, **columns: object) -> pd.DataFrame:
    """A row of `Run.final` for each candidate -> error on the test examples."""
    values = list(tests.values())
    frame = pd.DataFrame({"candidate": list(tests), "status": "ok", "valid[error]": valid, "test[error]": values})
    frame = frame.assign(**{"test_low[error]": frame["test[error]"] - 0.01})
    return frame.assign(**{"test_high[error]": frame["test[error]"] + 0.01, **columns})


def test_a_finished_network_has_the_objectives_of_the_end() -> None:
    frame = evaluations([(0.3, 5), (0.2, 6), (0.4, 1)], status=["ok", "stopped", "ok"])
    final = finals({0: 0.25, 1: 0.15}, params=[np.nan, 7.0])
    rows = analysis.as_finished(frame, final, COLUMNS)
    assert rows[["candidate", "error", "params"]].to_numpy().tolist() == [[0, 0.25, 5], [1, 0.15, 7]]
    assert rows["stopped"].tolist() == [False, True]
    assert rows["status"].tolist() == ["ok", "ok"]
    # Two boxes up to (1, 10): 0.85 x 3 and 0.75 x 5, of which 0.75 x 3 is in both.
    assert analysis.hypervolume(rows, COLUMNS, SIGNS, POINT) == pytest.approx(0.85 * 3 + 0.75 * 5 - 0.75 * 3)
    assert analysis.as_finished(frame, finals({0: 0.25}, status="failed"), COLUMNS).empty


def test_the_order_by_hand() -> None:
    # Five of six pairs as the search had them, one the other way round: (5 - 1) / 6.
    frame = evaluations([(0.1, 1), (0.2, 1), (0.3, 1), (0.4, 1)])
    found = analysis.search_and_test(frame, finals({0: 0.12, 1: 0.11, 2: 0.2, 3: 0.3}), "error")
    whole, tenth = analysis.rank_agreement(frame, found, "error", 1).to_dict("records")
    assert (whole["networks"], whole["kendall_tau"]) == (4, pytest.approx(4 / 6))
    assert whole["p"] == pytest.approx(8 / 24)  # of 24 orders, 8 have 5 or more pairs alike, or 5 or more unlike
    assert (tenth["networks"], math.isnan(tenth["kendall_tau"])) == (1, True)


def test_the_best_tenth_is_of_all_that_were_fully_trained() -> None:
    frame = evaluations([(i / 100, 1) for i in range(25)], status=["ok"] * 21 + ["stopped"] * 4)
    found = analysis.search_and_test(frame, finals({0: 0.3, 1: 0.2, 2: 0.1, 7: 0.4, 22: 0.0}), "error")
    whole, tenth = analysis.rank_agreement(frame, found, "error", 1).to_dict("records")
    assert (whole["networks"], tenth["networks"], tenth["kendall_tau"]) == (5, 3, -1)


def test_more_is_better_turns_it_round() -> None:
    frame = evaluations([(0.9, 1), (0.8, 1), (0.7, 1)])
    found = analysis.search_and_test(frame, finals({0: 0.8, 1: 0.85, 2: 0.6}), "error")
    [row] = analysis.best_by_search(found, -1).to_dict("records")
    assert (row["candidate"], row["best"], row["place"], row["networks"]) == (0, 1, 2, 3)
    assert (row["behind"], row["overlap"]) == (pytest.approx(0.05), False)
    tenth = analysis.rank_agreement(frame, found, "error", -1).to_dict("records")[1]
    assert tenth["networks"] == 1
    curse = analysis.winners_curse(found, looked({}), "error", -1).set_index("figure")
    assert curse.loc["search", "best"] == pytest.approx(0.1), "lower is worse"


def looked(tests: dict[int, tuple[float, float]]) -> pd.DataFrame:
    """Candidate -> (error of the search, error on the test), of the same weights."""
    rows = [(number, search, test) for number, (search, test) in tests.items()]
    return pd.DataFrame(rows, columns=["candidate", "error", "test[error]"])


def test_the_curse_by_hand() -> None:
    frame = evaluations([(0.10, 1), (0.20, 1), (0.30, 1)])
    found = analysis.search_and_test(frame, finals({0: 0.13, 1: 0.22, 2: 0.31}, valid=0.2), "error")
    seen = looked({0: (0.10, 0.16), 1: (0.2, 0.2)})
    table = analysis.winners_curse(found, seen, "error", 1).set_index("figure")
    assert table["networks"].to_dict() == {"same weights": 2, "search": 3, "recipe": 3}
    assert table["mean"].tolist() == pytest.approx([0.03, 0.02, 0.02])
    half = 4.303 * 0.01 / math.sqrt(3)  # Student's t for two degrees of freedom
    assert table.loc["search", ["low", "high"]].tolist() == pytest.approx([0.02 - half, 0.02 + half], abs=1e-5)
    assert table["best"].tolist() == pytest.approx([0.06, 0.03, -0.07])
    assert table["candidate"].tolist() == [0, 0, 0]


def test_what_is_not_there_is_not_known() -> None:
    frame, none = evaluations([(0.1, 1), (0.2, 2)]), pd.DataFrame(columns=["candidate", "status"])
    found = analysis.search_and_test(frame, none, "error")
    assert analysis.as_finished(frame, none, COLUMNS).empty
    assert analysis.rank_agreement(frame, found, "error", 1)["networks"].tolist() == [0, 0]
    assert analysis.winners_curse(found, looked({}), "error", 1)["networks"].tolist() == [0, 0, 0]
    assert analysis.best_by_search(found, 1).empty
    one = analysis.search_and_test(frame, finals({0: 0.1}), "error")
    assert math.isnan(analysis.winners_curse(one, looked({}), "error", 1).loc[1, "low"])


def test_who_reached_how_much_with_what() -> None:
    frame = evaluations([(0.9, 1), (0.5, 5), (0.2, 9)], epochs=[1, 4, 2])
    reached = analysis.spent_until(frame, COLUMNS, SIGNS, 2.5, POINT)  # 0.1 x 9, then 0.4 x 5 more
    assert reached == analysis.Spent(evaluations=2, epochs=5, hours=2.0)
    assert analysis.spent_until(frame, COLUMNS, SIGNS, 9.0, POINT) is None
    assert analysis.spent(frame) == analysis.Spent(3, 7, 3.0)
    assert analysis.within_epochs(frame, 5)["candidate"].tolist() == [0, 1]
    assert analysis.within_epochs(frame, 4)["candidate"].tolist() == [0]


def test_luck_is_what_seeds_would_say() -> None:
    """Random searches whose deviation from seed to seed is known, and what one of each tells of it."""
    rng = np.random.default_rng(1)
    searches = [evaluations([*map(tuple, rng.uniform((0, 0), (1, 10), (30, 2)))]) for _ in range(40)]
    real = np.std([analysis.hypervolume(own, COLUMNS, SIGNS, POINT) for own in searches], ddof=1)
    told = [analysis.hypervolume_luck(own, COLUMNS, SIGNS, POINT) for own in searches]
    assert real / 2 < np.median(told) < 3 * real
    assert analysis.hypervolume_luck(evaluations([(0.5, 5)] * 8), COLUMNS, SIGNS, POINT) == 0
    assert math.isnan(analysis.hypervolume_luck(evaluations([(0.5, 5)] * 3), COLUMNS, SIGNS, POINT))


def test_networks_in_both_searches_tell_how_far_measuring_is_apart() -> None:
    one = evaluations([(0.1, 100), (0.2, 50)], arch_hash=["a", "b"])
    other = evaluations([(0.2, 20), (0.1, 110), (0.3, 1)], arch_hash=["c", "a", "d"])
    table = analysis.shared_networks(one, other, COLUMNS).set_index("column")
    assert table["networks"].tolist() == [1, 1]
    assert table.loc["params", "mean_difference"] == pytest.approx(10 / 105)
    assert table.loc["error", "mean_difference"] == 0
    assert analysis.shared_networks(one, other.iloc[2:], COLUMNS)["mean_difference"].isna().all()


def test_hours_by_stage() -> None:
    frame = evaluations([(0.1, 1)] * 2, measure_s=900.0, paused_s=360.0)
    rows = [("trial", 0.0, 3600.0), ("trial", 0.0, 1800.0), ("seed", 0.0, 7200.0), ("network", 0.0, 7200.0)]
    trainings = pd.DataFrame(rows, columns=["stage", "started_at", "finished_at"]).assign(
        measure_s=[np.nan, np.nan, np.nan, 1800.0]
    )
    table = analysis.stage_hours(frame, trainings).set_index("stage")
    assert table["hours"].tolist() == [2, 0.5, 1.5, 2, 0.5, 0.2]
    assert table["share"].sum() == pytest.approx(1)
    unknown = analysis.stage_hours(frame, trainings.assign(measure_s=np.nan)).set_index("stage")
    assert math.isnan(unknown.loc["final measuring", "hours"]), "of networks that were finished before it was recorded"
    assert analysis.stage_hours(frame, trainings.iloc[:0])["hours"].tolist() == [2, 0.5, 0, 0, 0, 0.2]
