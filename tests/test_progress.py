"""The line of a search in a script, in a terminal, and below a notebook's cell; failures that repeat."""

import re
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import evonas
from evonas.driver import progress
from evonas.driver.loop import Search
from evonas.records import Evaluation
from tests.synthetic import SPEC, Toy, Work, config
from tests.test_loop import run

SETTINGS = config(budget={"evaluations": 16, "same_failure": 1.0}).model_dump(mode="json", by_alias=True)


def search(folder: Path, progress: bool = True, **work: Any) -> None:
    evonas.search(SETTINGS, space=Toy(), task=SPEC, evaluator=partial(Work, **work), run=folder, progress=progress)


def test_a_script_ends_with_how_far_it_came(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(tmp_path / "run")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"16/16 evaluated, front \d+, hypervolume \S+x, .* elapsed\n", err)
    search(tmp_path / "silent", progress=False)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REFRESH_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    search(tmp_path / "run")
    *states, last, end = [*capsys.readouterr().err.split("\r\x1b[2K")[1:], ""]
    assert len(states) >= 15
    assert max(map(len, states)) < 30
    assert "\n" not in "".join(states)
    assert last.startswith("16/16 evaluated")
    assert last.endswith("elapsed\n")
    assert end == ""


def test_a_notebook_has_one_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr(progress, "REFRESH_S", 0.0)

    def note(data: dict[str, str], raw: bool, **_: Any) -> Any:
        assert raw
        shown.append(data["text/plain"])
        return SimpleNamespace(update=note)

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(display=SimpleNamespace(display=note)))
    search(tmp_path / "run", failing=tuple(range(1, 35)))
    assert shown[0].startswith("1/16 evaluated")
    told, *_, last = shown[-1].splitlines()
    assert told.startswith("3 of ")
    assert last.startswith("16/16 evaluated")


def test_a_failure_that_repeats_is_told_at_the_third_time_and_at_each_doubling(tmp_path: Path) -> None:
    failures, told = progress.RepeatedFailures(), list[str]()

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        told.append(failures.text(search, evaluation))

    run(tmp_path / "run", watch, work={"failing": tuple(range(1, 35))}, budget={"same_failure": 1.0})
    counts = [int(text.split()[0]) for text in told if text]
    assert counts[:3] == [3, 6, 12]
    assert all(re.match(r"\d+ of \d+: failed:\w+: .+", text) for text in told if text)
