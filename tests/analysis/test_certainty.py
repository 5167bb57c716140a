"""How sure a front is: answers that are known beforehand, and brute force."""

from collections.abc import Sequence
from typing import Any

import moocore
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.analysis import certainty, drawn, p_front
from evonas.analysis.resampling import Drawn, _resampled
from evonas.neighbours import block_of
from evonas.runs.remarks import remarks
from evonas.scores import encoded

EXAMPLES = 300
LATENCY = ["error", "latency_ms[cpu]"]
DESCRIPTION: dict[str, Any] = {
    "task": {"metrics": {"error": "minimize"}},
    "validation": {"examples": EXAMPLES, "shares": ["error"], "reductions": {"error": "mean"}},
    "evaluator": None,
    "targets": [],
    "config": {"targets": {}},
    "objectives": [{"column": name} for name in LATENCY],
}
OLDER = {**DESCRIPTION, "validation": {"examples": EXAMPLES, "shares": ["error"]}}


def wrong(*places: range) -> np.ndarray:
    """Which of the examples a network has wrong."""
    bits = np.zeros(EXAMPLES)
    for part in places:
        bits[part] = 1
    return bits


def front_of(
    *networks: tuple[np.ndarray, float], within: float = 0.02
) -> tuple[pd.DataFrame, dict[int, dict[str, bytes]]]:
    """Rows and scores of networks by wrong examples and latency, which is known within a share of it."""
    ms = np.array([latency for _, latency in networks])
    frame = pd.DataFrame(
        {
            "candidate": range(len(networks)),
            "status": "ok",
            "violation": 0.0,
            "error": [bits.mean() for bits, _ in networks],
            "latency_ms[cpu]": ms,
            "latency_low_ms[cpu]": ms / (1 + within),
            "latency_high_ms[cpu]": ms * (1 + within),
        }
    )
    return frame, {i: {"error": encoded(bits)} for i, (bits, _) in enumerate(networks)}


def told(frame: pd.DataFrame, scores: Any, description: Any = DESCRIPTION, columns: Sequence[str] = LATENCY) -> Any:
    return certainty(frame, columns, [1] * len(columns), description, scores).set_index("candidate")


def chances(frame: pd.DataFrame, scores: Any, description: Any = DESCRIPTION, columns: Sequence[str] = LATENCY) -> Any:
    return p_front(drawn(frame, columns, [1] * len(columns), description, scores))


def test_the_same_errors_on_the_same_examples_cannot_be_told_apart_and_half_of_the_time_either_is_faster() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(30)), 1.0002))
    assert told(frame, scores)["error_indistinguishable"].tolist() == [[]]  # the slower one is no member
    p = chances(frame, scores)
    assert p[0] == pytest.approx(0.5, abs=0.06)
    assert p[1] == pytest.approx(0.5, abs=0.06)
    assert p.sum() == 1


def test_as_many_errors_on_other_examples_are_no_tie() -> None:
    """Drawn by the dozen, one or the other has fewer; both are on the front but where chance is against one in both."""
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(30, 60)), 1.0))
    assert chances(frame, scores).tolist() == pytest.approx([0.75, 0.75], abs=0.08)


def test_three_more_errors_of_300_may_be_chance_and_ten_are_none() -> None:
    """The three are not among the drawn with (1 - 3 / 300)^300 = 0.049, more than one tail; the ten with 0.00004."""
    frame, scores = front_of((wrong(range(30)), 1.1), (wrong(range(33)), 1.09), (wrong(range(43)), 1.0), within=0.2)
    found = told(frame, scores)
    assert found["indistinguishable"].to_dict() == {0: [1], 1: [0], 2: []}
    assert found["error_indistinguishable"].to_dict() == {0: [1], 1: [0], 2: []}
    assert told(frame, {}, OLDER)["error_indistinguishable"].to_dict() == {0: [1, 2], 1: [0, 2], 2: [0, 1]}


def test_another_latency_tells_apart_what_the_error_does_not() -> None:
    found = told(*front_of((wrong(range(30)), 1.1), (wrong(range(33)), 1.0)))
    assert found["indistinguishable"].to_dict() == {0: [], 1: []}
    assert found["error_indistinguishable"].to_dict() == {0: [1], 1: [0]}


def test_who_has_one_error_more_is_on_the_front_where_that_example_is_not_drawn() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(31)), 1.0), within=0.0)
    assert chances(frame, scores).to_dict() == {0: 1.0, 1: pytest.approx((1 - 1 / 300) ** 300, abs=0.05)}


def test_intervals_are_those_of_each_objective() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(), 2.0))
    found = told(frame.assign(params=[7.0, 5.0]), scores, columns=[*LATENCY, "params"]).loc[[0, 1]]
    assert found["error_low"].tolist() == pytest.approx([0.0710, 0.0], abs=1e-4)  # Wilson, of 30 and 0 of 300
    assert found["error_high"].tolist() == pytest.approx([0.1392, 0.0126], abs=1e-4)
    assert found["latency_low_ms[cpu]"].tolist() == pytest.approx([1 / 1.02, 2 / 1.02])
    assert found["params_low"].tolist() == found["params_high"].tolist() == [7.0, 5.0]


@pytest.mark.parametrize("how", ["mean", "root_mean"])
def test_numbers_have_the_interval_of_their_mean(how: str) -> None:
    numbers = np.random.default_rng(0).exponential(4.0, 1000)
    value, spread = numbers.mean(), numbers.std() / np.sqrt(1000)
    if how == "root_mean":
        value, spread = np.sqrt(value), spread / (2 * np.sqrt(value))
    frame = pd.DataFrame({"candidate": [0], "status": "ok", "violation": 0.0, "error": value})
    validation = {"examples": 1000, "shares": [], "reductions": {"error": how}}
    found = told(frame, {0: {"error": encoded(numbers)}}, {**DESCRIPTION, "validation": validation}, ["error"])
    low, high = found.loc[0, ["error_low", "error_high"]]
    assert (low, high) == pytest.approx((value - 1.96 * spread, value + 1.96 * spread), rel=0.01)


def test_a_sample_of_the_examples_has_the_noise_of_all() -> None:
    share, examples = 0.25, 4 * 2**16
    bits = np.arange(2**16) % 4 == 0
    frame = pd.DataFrame({"candidate": [0], "status": "ok", "violation": 0.0, "error": [share]})
    validation = {"examples": examples, "shares": ["error"], "reductions": {"error": "mean"}}
    of = drawn(frame, ["error"], [1], {**DESCRIPTION, "validation": validation}, {0: {"error": encoded(bits)}}, 300)
    assert of.values["error"].mean() == pytest.approx(share, abs=3e-4)
    assert of.values["error"].std() == pytest.approx(np.sqrt(share * (1 - share) / examples), rel=0.15)


def test_windows_that_overlap_are_drawn_with_their_neighbours() -> None:
    """Means over 24 rows of AR(1) series whose mean is 0: how often intervals hold that, in 300 series."""
    series, rows, overlap = 300, 600, 24
    noise = np.random.default_rng(0).standard_normal((series, rows + 100))
    values = np.zeros_like(noise)
    for row in range(1, noise.shape[1]):
        values[:, row] = 0.7 * values[:, row - 1] + noise[:, row]
    windows = np.lib.stride_tricks.sliding_window_view(values[:, 100:], overlap, axis=1).mean(2)
    data, size = [encoded(one) for one in windows], windows.shape[1]

    def covered(block: int) -> float:
        means, _ = _resampled(data, size, 400, 0, block)
        low, high = np.quantile(means, [0.025, 0.975], axis=0)
        return float(((low <= 0) & (high >= 0)).mean())

    assert covered(1) < 0.5
    assert covered(block_of(overlap, size)) > 0.75
    assert (block_of(overlap, size), block_of(overlap, 30), block_of(1, 30), block_of(9, 3)) == (overlap, 6, 1, 1)


def test_a_run_of_windows_has_wider_intervals() -> None:
    frame, scores = front_of((wrong(range(60, 90)), 1.0), (wrong(range(200, 210)), 2.0))
    blocks = {**DESCRIPTION, "validation": {**DESCRIPTION["validation"], "block": 10}}
    alone, together = (told(frame, scores, description) for description in (DESCRIPTION, blocks))
    assert ((together["error_high"] - together["error_low"]) > 1.5 * (alone["error_high"] - alone["error_low"])).all()
    assert alone["indistinguishable"].tolist() == [[], []]
    assert together["error_indistinguishable"].tolist() == [[0], [1]], "three blocks against one may be chance"


def test_throughput_is_drawn_with_its_latency_and_more_of_it_is_better() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(30)), 1.5))
    frame = frame.assign(**{"examples_per_s[cpu]": 1000 / frame["latency_ms[cpu]"]})
    columns, signs = ["error", "examples_per_s[cpu]"], [1, -1]
    of = drawn(frame, columns, signs, DESCRIPTION, scores)
    assert p_front(of).to_dict() == {0: 1.0, 1: 0.0}
    both = drawn(frame, [*columns, "latency_ms[cpu]"], [*signs, 1], DESCRIPTION, scores)
    product = both.values["examples_per_s[cpu]"] * both.values["latency_ms[cpu]"]
    assert np.allclose(product, 1000)


def test_what_is_exact_is_sure() -> None:
    frame = pd.DataFrame(
        {"candidate": [4, 6, 9], "status": "ok", "violation": 0.0, "params": [1, 2, 3], "macs": [2, 1, 4]}
    )
    description = {**DESCRIPTION, "task": {"metrics": {}}, "validation": None}
    found = told(frame, {}, description, ["params", "macs"])
    assert found["p_front"].to_dict() == {4: 1.0, 6: 1.0}
    assert not any(found["indistinguishable"])


def test_where_the_noise_is_unknown_nothing_is_said() -> None:
    frame, _ = front_of((wrong(range(30)), 1.0), (wrong(range(33)), 0.9))
    unknown = {**DESCRIPTION, "validation": {"examples": EXAMPLES, "shares": [], "reductions": {}}}
    found = told(frame, {}, unknown)
    assert found["p_front"].isna().all()
    assert found["indistinguishable"].tolist() == found["error_indistinguishable"].tolist() == [None, None]
    assert found["error_low"].isna().all()


def test_a_run_that_went_on_has_scores_of_some() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(33)), 0.98), (wrong(range(43)), 0.97))
    of = drawn(frame, LATENCY, [1, 1], OLDER, {i: scores[i] for i in (0, 1)})
    assert of.noise["error"] == "mixed"
    both = of.values["error"]
    assert (both[:, 1] >= both[:, 0]).all()  # the same examples
    assert (both[:, 2] < both[:, 0]).any()
    assert not drawn(frame.iloc[:0], LATENCY, [1, 1], DESCRIPTION).candidates.size


def test_scores_of_other_examples_count_for_nothing() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(33)), 0.9))
    scores[1] = {"error": encoded(np.ones(7))}
    assert drawn(frame, LATENCY, [1, 1], DESCRIPTION, scores).noise["error"] == "mixed"


def _brute(frame: pd.DataFrame, of: Drawn) -> list[float]:
    on = np.zeros(len(of.candidates))
    for draw in range(of.draws):
        at = np.stack([own[draw % len(own)] for own in of.values.values()], axis=1)
        on += np.array([not any((o <= own).all() and (o < own).any() for o in at) for own in at])
    return list(on / of.draws)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(50, 400)), min_size=1, max_size=9))
def test_probabilities_are_those_of_brute_force_and_whoever_is_left_out_has_none(
    networks: list[tuple[int, int, int]],
) -> None:
    frame, scores = front_of(*((wrong(range(a, a + b)), ms / 100) for a, b, ms in networks), within=0.1)
    of = drawn(frame, LATENCY, [1, 1], DESCRIPTION, scores, draws=60)
    p = p_front(of)
    assert p.tolist() == pytest.approx(_brute(frame, of))
    members = frame["candidate"][moocore.is_nondominated(frame[LATENCY].to_numpy(), keep_weakly=True)]
    assert {*members} <= {*p.index}
    swapped = drawn(frame.iloc[::-1], LATENCY, [1, 1], DESCRIPTION, scores, draws=60)
    assert p_front(swapped).sort_index().equals(p.sort_index())


def test_leaving_out_who_is_far_behind_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    networks = [(rng.random(EXAMPLES) < share, 1 + rng.exponential() / share) for share in rng.uniform(0.02, 0.9, 60)]
    frame, scores = front_of(*((bits.astype(float), ms) for bits, ms in networks), within=0.05)
    few = chances(frame, scores)
    assert 1 < len(few) < len(frame) - 5
    for module in ("trained_metrics", "resampling"):
        monkeypatch.setattr(f"evonas.analysis.{module}.DEVIATIONS", 1e3)
    all_of_them = chances(frame, scores)
    assert len(all_of_them) == len(frame)
    assert all_of_them.to_dict() == few.reindex(all_of_them.index, fill_value=0.0).to_dict()


def test_what_is_said_beside_a_front() -> None:
    frame, scores = front_of((wrong(range(30)), 1.0), (wrong(range(30)), 1.0002), (wrong(range(90)), 2.0))

    def lines(description: Any, scores: Any) -> list[str]:
        return remarks(description, frame, pd.DataFrame(), "run", drawn(frame, LATENCY, [1, 1], description, scores))

    binomial = "95 % intervals of error: binomial, of 300 validation examples"
    sure = "how sure the front is: p(front) is how often no other is better in everything, in 1,000 draws of "
    alike = (
        "networks are alike, cannot be told apart, where the 95 % interval of their difference in error holds 0, and "
        "their intervals of latency_ms[cpu] overlap"
    )
    first, second, third, off = lines(DESCRIPTION, scores)
    latencies = ", and of latencies from their intervals"
    assert (first, third) == (binomial, alike)
    assert second == f"{sure}the validation examples, the same ones for all networks{latencies}"
    assert off.startswith("off the front within the noise: candidate 1 (p 0.")
    itself = "the errors, of each network by itself, since the run was recorded without scores of its examples"
    assert lines(OLDER, {})[1] == f"{sure}{itself}{latencies}"
    windows = {**DESCRIPTION, "validation": {**DESCRIPTION["validation"], "block": 9}}
    assert lines(windows, scores)[0] == f"{binomial}, 9 neighbours together, for they overlap"
    no_mean = {**DESCRIPTION, "validation": {"examples": EXAMPLES, "shares": [], "reductions": {}}}
    unknown = "error has no interval, and who is on the front by chance is not known: "
    assert lines(no_mean, {}) == [f"{unknown}it is no mean of one number an example"]
