"""Intervals of shares, and how many latencies settled."""

from functools import partial
from typing import Any

import pandas as pd
import pytest

from evonas.analysis import ends, unsettled, wilson, with_intervals
from evonas.runs.remarks import remarks


def test_wilson_by_hand() -> None:
    """Newcombe (Statistics in Medicine 17, 1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, examples, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        (own_low,), (own_high,) = wilson([right / examples], examples)
        assert (own_low, own_high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_only_what_is_a_share_of_known_examples_has_an_interval() -> None:
    frame = pd.DataFrame({"error": [0.1, 0.0], "mse": [3.0, 4.0]})
    found = with_intervals(frame, {"validation": {"examples": 100, "shares": ["error"]}})
    assert list(found) == ["error", "mse", "error_low", "error_high"]
    assert (found["error_low"] <= found["error"]).all()
    assert (found["error"] < found["error_high"]).all()
    for older in ({}, {"validation": None}):
        assert list(with_intervals(frame, older)) == ["error", "mse"]


def test_what_has_no_interval_says_why() -> None:
    description: dict[str, Any] = {
        "evaluator": "",
        "targets": [],
        "tables": [],
        "config": {"targets": {}},
        "objectives": [{"column": "mse"}, {"column": "mae"}],
        "task": {"metrics": {"mse": "minimize", "mae": "minimize"}},
        "validation": {"examples": 100, "shares": []},
    }
    told = partial(remarks, evaluations=pd.DataFrame(), measured=pd.DataFrame(), folder="run")
    unknown = "no interval, and who is on the front by chance is not known: the run"
    assert told(description) == [f"mse, mae have {unknown} was recorded without the scores of its examples"]
    one = {**description, "objectives": [{"column": "mse"}], "validation": None}
    assert told(one) == [f"mse has {unknown} did not record its validation examples"]


def test_ends_are_named_as_the_columns_are() -> None:
    assert ends("latency_ms[cpu]") == ("latency_low_ms[cpu]", "latency_high_ms[cpu]")
    assert ends("error") == ("error_low", "error_high")


def test_unsettled_counts_what_was_measured() -> None:
    frame = pd.DataFrame({"settled[cpu]": [1.0, 0.0, None, 0.0]})
    assert unsettled(frame, ["cpu", "board"]) == {"cpu": (2, 3)}
