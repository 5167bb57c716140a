from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from evonas.errors import UserError
from evonas.measuring import cache
from evonas.measuring.cache import MeasurementCache, cache_key
from evonas.records import Measurement

FOUND = Measurement(1.0, 0.9, 1.1, 1.2, 1.3, 2.0, 0.1, (1.0, 1.5), True, memory_mb=3.0, conditions={"quiet": "yes"})
KNOWN = {"quiet": "yes", "measured": "before"}


def test_what_was_measured_here_is_known_and_says_so() -> None:
    known = MeasurementCache()
    assert known.get("a") is None
    known.put("a", FOUND)
    found = known.get("a")
    assert found is not None
    assert (found.ms, found.samples, found.memory_mb, found.conditions) == (1.0, (1.0, 1.5), 3.0, KNOWN)


def test_a_folder_is_shared_by_runs(tmp_path: Path) -> None:
    MeasurementCache(tmp_path / "new").put("a", FOUND)
    found = MeasurementCache(tmp_path / "new").get("a")
    assert found is not None
    assert (found.ms, found.samples, found.conditions) == (1.0, (1.0, 1.5), KNOWN)
    assert MeasurementCache(tmp_path / "new").get("b") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ms": 1}', "null"])
def test_a_damaged_file_is_as_good_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    assert MeasurementCache(tmp_path).get("a") is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "HELD", 2)
    known = MeasurementCache()
    for key in "abc":
        known.put(key, FOUND)
    assert [known.get(key) is not None for key in "abc"] == [False, True, True]


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"runtime\.measurements: .*file"):
        MeasurementCache(tmp_path / "file")


@pytest.mark.parametrize("fault", [{"settled": False}, {"conditions": {"quiet": "no"}}])
def test_a_measurement_of_doubt_is_not_kept_for_good(fault: dict[str, Any], tmp_path: Path) -> None:
    MeasurementCache(tmp_path).put("a", replace(FOUND, **fault))
    assert MeasurementCache(tmp_path).get("a") is None
    MeasurementCache(tmp_path).put("a", FOUND, for_good=False)
    assert MeasurementCache(tmp_path).get("a") is None


def net_of(forward: Callable[..., Any]) -> nn.Module:
    return type("Net", (nn.Module,), {"forward": forward})()


def test_another_network_protocol_or_target_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    names = {
        cache_key(["a"], nn.Linear(2, 3)),
        cache_key(["b"], nn.Linear(2, 3)),
        cache_key(["a"], nn.Linear(2, 4)),
        cache_key(["a"], nn.Sequential(nn.Linear(2, 3))),
    }
    assert len(names) == 4
    assert cache_key(["a"], nn.Linear(2, 3)) in names  # whatever its weights are
    assert cache_key(["a"], net_of(lambda self, x: x + 1)) != cache_key(["a"], net_of(lambda self, x: x * 2))
    assert cache_key(["a"], net_of(lambda self, x: x + 1)) == cache_key(["a"], net_of(lambda self, x: x + 1))
    monkeypatch.setattr(cache, "PROTOCOL", 0)
    assert cache_key(["a"], nn.Linear(2, 3)) not in names
