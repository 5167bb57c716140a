"""A search that ends with nothing to choose from says why, and with which exit status."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.cli import main
from evonas.runs.empty_front import only_failures, why_empty
from evonas.spaces import SPACES
from tests.synthetic import SPEC, Toy, Work, config

NONE = pd.DataFrame()
BROKEN = """
from evonas import Choice, Space
from evonas.spaces import SPACES


class Broken(Space):
    width = Choice(*range(8, 40))

    def build(self, arch, task):
        raise ValueError("no network of width {}".format(arch.width))


SPACES["broken"] = Broken
"""
CONFIG = """
space: {kind: mlp}
task: {kind: digits}
objectives: [{metric: error}, {metric: params}]
strategy: {population: 2}
training: {epochs: 1}
budget: {evaluations: 2}
runtime: {kind: serial}
"""


def rows(*found: tuple[str, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=["status", "violation", "message"])
    return frame.assign(candidate=range(len(frame)))


@pytest.mark.parametrize(
    ("found", "line", "broken"),
    [
        (
            [("failed:build", 0, "a"), ("failed:error", 0, "b\nc")],
            "no candidate was trained: 2 of 2 failed, the last with failed:error: b c; "
            "all messages: evonas log 'a run'",
            True,
        ),
        (
            [("failed:oom", 0, "a"), ("infeasible", 0.5, "params 3 > 2")],
            "no candidate was trained: 1 of 2 failed, the last with failed:oom: a; 1 were over a limit; "
            "all messages: evonas log 'a run'",
            True,
        ),
        (
            [("infeasible", 0.5, ""), ("infeasible", 0.125, "")],
            "no candidate is within the limits: 2 of 2 are over one; the nearest, candidate 1, by 12.5 % in all",
            False,
        ),
        (
            [("failed:oom", 0, "a"), ("ok", 0.1, "")],
            "no candidate is within the limits: 1 of 2 are over one; the nearest, candidate 1, by 10 % in all",
            False,
        ),
        ([], "", False),
    ],
)
def test_the_reason_is_one_line(found: list[tuple[str, float, str]], line: str, broken: bool) -> None:
    assert why_empty(rows(*found), NONE, "a run") == line
    assert only_failures(rows(*found)) is broken


def test_a_front_that_is_not_empty_needs_no_reason() -> None:
    found = rows(("failed:oom", 0, "a"), ("ok", 0, ""))
    assert why_empty(found, found[1:], "run") == ""
    assert not only_failures(found)


def test_a_search_without_any_success_ends_with_status_1_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("broken_space.py").write_text(BROKEN)
    Path("config.yaml").write_text(CONFIG)
    words = ["search", "config.yaml", "--run", "run", "--set", "space={kind: broken}", "--import", "broken_space"]
    try:
        for _ in range(2):
            assert main(words) == 1
            said = capsys.readouterr()
            assert "evonas: no candidate was trained: 2 of 2 failed, the last with failed:build: " in said.err
            assert "(broken_space.py:10); all messages: evonas log run" in said.err
            assert said.out.splitlines()[-1] == "run: run"
        assert main(["export", "run", "0", "--out", "network.onnx", "--import", "broken_space"]) == 2
        assert "a run keeps those of its front, which is empty\n" in capsys.readouterr().err
    finally:
        SPACES.pop("broken", None)


def test_a_search_whose_candidates_are_all_over_a_limit_has_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    assert main(["search", "config.yaml", "--run", "run", "--set", "limits=[{metric: params, at_most: 1}]"]) == 0
    line = "the front is empty: no candidate is within the limits: 2 of 2 are over one; the nearest, candidate "
    assert line in capsys.readouterr().out
    assert main(["front", "run"]) == 0
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(("unbuildable", "warned"), [(range(4), 1), (range(3), 0)])
def test_from_python_it_is_a_warning(unbuildable: range, warned: int, tmp_path: Path) -> None:
    def evaluator(*given: Any) -> Work:
        return Work(*given, unbuildable=unbuildable)

    settings = config(budget={"evaluations": 4}).model_dump(mode="json", by_alias=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = evonas.search(settings, space=Toy(), task=SPEC, evaluator=evaluator, run=tmp_path / "run", progress=False)
    assert len(run.evaluations) == 4
    found = [str(each.message) for each in said if "no candidate" in str(each.message)]
    assert len(found) == warned
    assert all("no candidate was trained: 4 of 4 failed, the last with failed:build: layer 3" in line for line in found)
    assert [each.filename for each in said if "no candidate" in str(each.message)] == [__file__] * warned
