"""`evonas cluster up` of a search that has ended already starts nothing."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.slurm import provider as slurm
from evonas.store import open_folder
from tests.launch.stand_ins import Told, stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL, SLURM
from tests.test_object_store import server  # noqa: F401 - a fixture

SMALL = "space={kind: cell, stages: 1, channels: [4]}"
UP = {
    "slurm": ["cluster", "up", "slurm", "c.yaml", "--yes"],
    "kubernetes": ["cluster", "up", "kubernetes", "c.yaml", "--image=me/evonas:9", "--yes"],
}
STARTS = {"slurm": "sbatch ", "kubernetes": " apply -f"}
SAID = "finished: the budget of 2 evaluations is used up; nothing is left to do, and a larger budget goes on"


@pytest.fixture
def told(user: Path, monkeypatch: pytest.MonkeyPatch) -> Told:  # noqa: F811
    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (_interrupted,))
    return stand_in(user, monkeypatch, kubectl=KUBECTL, **SLURM)


def _interrupted(_: float) -> None:
    raise KeyboardInterrupt


def _search(run: str) -> None:
    """Ends at once: nothing is trained."""
    words = ["--set", SMALL, "--set=budget.evaluations=2", "--set=strategy.population=2"]
    assert main(["search", "c.yaml", "--run", run, *words, "--set=runtime.kind=serial"]) == 0


def _line(cloud: str, run: str, *more: str) -> list[str]:
    words = ["--set", SMALL, "--set=budget.evaluations=2", "--set=strategy.population=2", *more]
    return [*UP[cloud], "--run", run, *words]


@pytest.mark.parametrize("cloud", UP)
def test_nothing_starts_for_a_search_that_has_ended(
    cloud: str,
    told: Told,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = str(Path("runs/one").resolve())
    _search(run)
    ended = open_folder(run).names("starts")
    capsys.readouterr()
    assert main(_line(cloud, run)) == 0
    assert capsys.readouterr().out == f"{run}: {SAID}; nothing was started\n"
    assert told.lines(STARTS[cloud]) == []
    assert open_folder(run).names("starts") == ended
    if cloud == "slurm":
        assert main([*_line(cloud, run), "--dry-run"]) == 0
        assert capsys.readouterr().out.startswith(f"`up` starts nothing: {run}: {SAID}\n===")


@pytest.mark.parametrize("more", ["budget.evaluations=3", "budget.hours=1"])
def test_what_has_more_to_do_starts(more: str, told: Told) -> None:
    _search(str(Path("runs/one").resolve()))
    assert main(_line("slurm", str(Path("runs/one").resolve()), "--set", more)) == 130
    assert len(told.lines("sbatch ")) == 1


def test_machines_that_run_all_the_same_are_said(
    told: Told,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = str(Path("runs/one").resolve())
    _search(run)
    Path("cluster").touch()
    capsys.readouterr()
    assert main(_line("kubernetes", run)) == 0
    out = capsys.readouterr().out
    assert out.endswith("\nwhat is up stays up and costs. To take it down: evonas cluster down kubernetes\n")
    assert told.lines("apply -f") == []


@pytest.mark.skipif(not (find_spec("s3fs") and find_spec("moto")), reason="needs s3fs and moto")
def test_so_it_is_in_a_bucket(
    server: None,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    _search("s3://bucket/ended")
    capsys.readouterr()
    assert main(_line("kubernetes", "s3://bucket/ended")) == 0
    assert capsys.readouterr().out == f"s3://bucket/ended: {SAID}; nothing was started\n"
    assert told.lines("apply -f") == []
