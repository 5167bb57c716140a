"""A part of a user's own that raises in the driver ends the search with one line, and nothing is lost."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.cli import main
from evonas.errors import Halted, UserError
from evonas.records import Fitness
from evonas.spaces.genes import Arch
from evonas.start import execute
from evonas.strategies import STRATEGIES, Exhausted, NSGA2Selection, Proposal, Random, Report
from tests.synthetic import SPEC, Toy, config, prepared
from tests.test_loop import content, quiet

FAULT = {"method": "", "at": -1}
"""Which method raises, and for which candidate."""


class Faulty(Random):
    def ask(self, index: int) -> Proposal:
        fail("ask", index)
        return super().ask(index)

    def register(self, index: int, genome: tuple[int, ...]) -> None:
        fail("register", index)
        super().register(index, genome)

    def tell(self, report: Report) -> None:
        fail("tell", report.index)
        super().tell(report)

    def tell_failed(self, index: int) -> None:
        fail("tell_failed", index)
        super().tell_failed(index)

    def selection(self) -> NSGA2Selection:
        fail("selection", -1)
        return FaultySelection(8)


class FaultySelection(NSGA2Selection):
    def add(self, fitness: Fitness) -> None:
        fail("add", fitness.index)
        super().add(fitness)


class FaultyToy(Toy):
    def decode(self, genome: tuple[int, ...]) -> Arch:
        fail("decode", -1)
        return super().decode(genome)


def fail(method: str, index: int) -> None:
    if (FAULT["method"], FAULT["at"]) == (method, index):
        raise KeyError("no such\nkey")


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    monkeypatch.setitem(STRATEGIES, "faulty", Faulty)
    yield FAULT
    FAULT.update(method="", at=-1)


SETTINGS = config(strategy={"kind": "faulty"}, budget={"evaluations": 20})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    STRATEGIES["faulty"] = Faulty
    folder = tmp_path_factory.mktemp("whole") / "run"
    execute(prepared(folder, SETTINGS, failing=(4, 7)), watch=quiet)
    del STRATEGIES["faulty"]
    return evonas.load(folder, Toy())


@pytest.mark.parametrize(
    ("method", "at", "said"),
    [
        ("ask", 12, "strategy faulty: ask for candidate 12 raises"),
        ("register", 12, "strategy faulty: register of candidate 12 raises"),
        ("tell", 3, "strategy faulty: tell of candidate 3 raises"),
        ("tell_failed", 4, "strategy faulty: tell_failed of candidate 4 raises"),
        ("selection", -1, "strategy faulty: selection raises"),
        ("add", 9, "strategy faulty: the selection raises"),
    ],
)
def test_a_strategy_that_raises_stops_the_search_which_goes_on_once_it_is_mended(
    method: str, at: int, said: str, faults: dict[str, Any], whole: evonas.Run, tmp_path: Path
) -> None:
    faults.update(method=method, at=at)
    with pytest.raises(Halted) as stopped:
        execute(prepared(tmp_path / "run", SETTINGS, failing=(4, 7)), watch=quiet)
    line = fail.__code__.co_firstlineno + 2
    assert str(stopped.value) == f"{said} KeyError: 'no such\\nkey' ({Path(__file__).name}:{line})"
    assert isinstance(stopped.value.__cause__, KeyError)
    faults.update(method="")
    execute(prepared(tmp_path / "run", SETTINGS, failing=(4, 7)), watch=quiet)
    found = evonas.load(tmp_path / "run", Toy())
    assert content(found) == content(whole)
    assert found.verify().difference == ""


def test_a_space_that_raises_is_named(faults: dict[str, Any], tmp_path: Path) -> None:
    start = prepared(tmp_path / "run", SETTINGS, FaultyToy(), unbuildable=range(99))
    faults.update(method="decode")
    with pytest.raises(Halted, match="space FaultyToy: decode of candidate 0 raises KeyError"):
        execute(start, watch=quiet)


def test_other_errors_and_what_a_strategy_is_to_raise_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Ends(Random):
        def ask(self, index: int) -> Proposal:
            raise Exhausted("nothing more")

    monkeypatch.setitem(STRATEGIES, "ends", Ends)
    assert execute(prepared(tmp_path / "ends", config(strategy={"kind": "ends"})), watch=quiet) == "nothing more"
    monkeypatch.setattr(Random, "ask", lambda self, index: int("evonas's own fault"))
    monkeypatch.setattr("evonas.driver.own_parts.place_of", lambda error: "")
    with pytest.raises(ValueError, match="evonas's own fault"):
        execute(prepared(tmp_path / "own", config(strategy={"kind": "random"})), watch=quiet)


def test_an_evaluator_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    def broken(*given: Any) -> Any:
        raise OSError("no table")

    settings = SETTINGS.model_dump(mode="json", by_alias=True) | {"strategy": {"kind": "random"}}
    with pytest.raises(UserError, match=r"a worker could not start: OSError: no table \(test_own_parts_raise.py:\d+\)"):
        evonas.search(settings, space=Toy(), task=SPEC, evaluator=broken, run=tmp_path / "run", progress=False)


STRATEGY = """
from evonas.strategies import STRATEGIES, Random


class Mine(Random):
    def ask(self, index):
        return super().ask(index) if index < 1 else {}["missing"]


STRATEGIES["mine"] = Mine
"""
CONFIG = """
space: {kind: mlp}
task: {kind: digits}
objectives: [{metric: error}, {metric: params}]
strategy: {kind: mine}
schedule: {generation: 2}
training: {epochs: 1}
budget: {evaluations: 2}
runtime: {kind: serial}
"""


def test_on_the_command_line_it_is_one_line_and_the_traceback_for_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("mine.py").write_text(STRATEGY)
    Path("config.yaml").write_text(CONFIG)
    words = ["search", "config.yaml", "--run", "run", "--import", "mine"]
    said = (
        "evonas: stopped: strategy mine: ask for candidate 1 raises KeyError: 'missing' (mine.py:7). "
        "To go on: evonas search config.yaml --run run --import mine; EVONAS_DEBUG=1 before it shows the traceback"
    )
    try:
        assert main(words) == 1
        assert capsys.readouterr().err.splitlines() == [said, "run: run"]
        monkeypatch.setenv("EVONAS_DEBUG", "1")
        assert main(words) == 1
        errors = capsys.readouterr().err
        assert 'mine.py", line 7, in ask' in errors
        assert errors.splitlines()[-2:] == [said, "run: run"]
    finally:
        STRATEGIES.pop("mine", None)
        sys.modules.pop("mine", None)
