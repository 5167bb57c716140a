"""From a run folder to frames: several at once, live, remote-like, and where torch and Ray are not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

import evonas
from evonas import analysis
from evonas.driver.loop import Search
from evonas.errors import UserError
from evonas.records import Evaluation
from tests.evaluation.small import bars_task
from tests.test_loop import run

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "recorded"
WITHOUT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "ray", "pymoo", "sklearn", "plotly", "matplotlib"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import evonas
from evonas import analysis
run = evonas.load(sys.argv[1])
both = evonas.load(sys.argv[1:])
goals = run.objectives, run.signs
print(len(run.evaluations), len(run.front()), len(both.front()))
analysis.dominated(run.evaluations, *goals)
analysis.progress(both.evaluations, *goals)
analysis.stopping_audit(run.evaluations, *goals)
analysis.survival(run.populations, run.evaluations), analysis.diversity(run.populations, run.evaluations)
analysis.outcomes(run.evaluations), analysis.timeline(run.evaluations), analysis.utilisation(run.evaluations)
analysis.shared(run.front(), run.evaluations), analysis.what_if(run.evaluations, *goals, ["params<=1000"])
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> list[evonas.Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [run(folder / str(seed), seed=seed) for seed in (3, 4)]


def test_a_run_is_read_where_neither_torch_nor_ray_is_installed() -> None:
    folders = [str(RECORDED / name) for name in ("window", "async")]
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", WITHOUT, *folders]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "20"


def test_several_runs_are_one_with_a_column_run(searched: list[evonas.Run]) -> None:
    folders = [Path(found.folder) for found in searched]  # type: ignore[arg-type]
    both = evonas.load(folders)
    assert both.evaluations.columns[0] == "run"
    assert both.evaluations["run"].value_counts().to_dict() == {str(folder): 40 for folder in folders}
    assert both.populations["run"].nunique() == 2
    alone = [analysis.hypervolume(r.front(), r.objectives, r.signs, {"error": 1, "params": 3000}) for r in searched]
    joint = analysis.hypervolume(both.front(), both.objectives, both.signs, {"error": 1, "params": 3000})
    assert joint >= max(alone)


def test_a_task_of_ones_own_is_not_loaded_from_a_run(searched: list[evonas.Run]) -> None:
    with pytest.raises(UserError, match="the task 'synthetic' of this run is not evonas's own"):
        searched[0].task()
    given = evonas.load(searched[0].folder, task=bars_task())
    with pytest.raises(UserError, match=r"the data of .* have changed"):
        given.task()


def test_bands_over_seeds_have_one_reference_point(searched: list[evonas.Run]) -> None:
    both = evonas.load([Path(found.folder) for found in searched])  # type: ignore[arg-type]
    curves = analysis.progress(both.evaluations, both.objectives, both.signs)
    band = analysis.bands(curves)
    assert band["candidates"].iloc[-1] == 40
    ends = curves.groupby("run")["hypervolume"].last()
    assert band["mean"].iloc[-1] == pytest.approx(ends.mean())
    assert ((band["low"] <= band["mean"]) & (band["mean"] <= band["high"])).all()


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    run(tmp_path / "a", budget={"evaluations": 8})
    run(tmp_path / "b", budget={"evaluations": 8}, objectives=[{"metric": "error"}, {"metric": "macs"}])
    with pytest.raises(UserError, match=r"has the objectives error, macs, .* has error, params"):
        evonas.load([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(UserError, match="each run once"):
        evonas.load([tmp_path / "a", tmp_path / "a"])
    with pytest.raises(UserError, match="each run once, not none"):
        evonas.load([])


def test_a_live_run_is_analysed(tmp_path: Path) -> None:
    """Before the first generation is recorded too."""
    seen: list[int] = []

    def watch(loop: Search, evaluation: Evaluation | None) -> None:
        found = evonas.load(tmp_path / "run")
        goals, point = (found.objectives, found.signs), {"error": 1.0, "params": 3000.0}
        if not found.evaluations.empty:
            seen.append(len(analysis.progress(found.evaluations, *goals, point=point)))
            analysis.stopping_audit(found.evaluations, *goals)
            analysis.outcomes(found.evaluations)
            analysis.shared(found.front(), found.evaluations)

    run(tmp_path / "run", watch, budget={"evaluations": 12})
    assert seen[0] < 8
    assert seen[-1] >= 8


def test_the_audit_of_a_search_knows_who_was_stopped(searched: list[evonas.Run]) -> None:
    frame = searched[0].evaluations
    audit = analysis.stopping_audit(frame, searched[0].objectives, searched[0].signs)
    assert audit["stopped"].sum() == (frame["status"] == "stopped").sum()
    assert audit["reached"].tolist() == [40, 40 - audit["stopped"][0]]


def test_survivors_of_a_search_have_ages(searched: list[evonas.Run]) -> None:
    table = analysis.survival(searched[0].populations, searched[0].evaluations)
    assert table["survivors"].tolist() == [8] * 5
    assert (table["oldest"] < table["generation"]).all()
    assert (analysis.diversity(searched[0].populations, searched[0].evaluations)["distance"] > 0).all()
