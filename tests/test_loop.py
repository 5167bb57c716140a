"""The search itself: one search for any number of workers, any runtime, any interruption."""

import hashlib
import signal
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.driver.loop import Search
from evonas.errors import UserError
from evonas.records import Evaluation
from evonas.start import execute
from evonas.store import NON_REPRODUCIBLE, Recovered, open_folder, recover
from evonas.store.candidate_files import Weights
from tests.forging import forge_cell
from tests.synthetic import Toy, config, prepared

ROOT = Path(__file__).parents[1]
MODES = pytest.mark.parametrize("mode", ["window", "async", "generation"])


def quiet(loop: Search, evaluation: Evaluation | None) -> None: ...


def run(
    folder: Path | str, watch: Any = quiet, work: dict[str, Any] | None = None, take_over: bool = False, **changes: Any
) -> evonas.Run:
    execute(prepared(folder, config(**changes), **(work or {})), watch=watch, take_over=take_over)
    return evonas.load(folder, Toy())


def content(run: evonas.Run) -> str:
    """A hash of what was found, without when and where."""
    frame = run.evaluations.drop(columns=[*NON_REPRODUCIBLE])
    return hashlib.sha256(frame.to_json(orient="records").encode()).hexdigest()


def recovered(folder: Path) -> Recovered:
    description = evonas.load(folder).description
    return recover(open_folder(folder), description["metrics"], description["targets"])


def populations(run: evonas.Run) -> list[dict[str, Any]]:
    return run.populations.to_dict("records")


@MODES
def test_a_search_decides_its_budget_and_verifies(mode: str, tmp_path: Path) -> None:
    found = run(tmp_path / "run", schedule={"mode": mode})
    assert found.evaluations["candidate"].tolist() == list(range(40))
    assert found.evaluations["arch_hash"].is_unique
    assert set(found.evaluations["status"]) == {"ok", "stopped"}
    assert found.populations["generation"].max() == 5
    verdict = found.verify()
    assert (verdict.difference, verdict.candidates, verdict.generations) == ("", 40, 5)


def test_the_front_is_fully_trained_feasible_and_non_dominated(tmp_path: Path) -> None:
    found = run(tmp_path / "run", limits=[{"metric": "params", "at_most": 700}])
    front = found.front()
    assert (found.evaluations["status"] == "infeasible").any()
    assert (front["status"] == "ok").all()
    assert (front["params"] <= 700).all()
    assert front["error"].is_monotonic_increasing
    assert front["params"].is_monotonic_decreasing


def test_nothing_trains_beyond_its_rung_where_a_bar_is_higher(tmp_path: Path) -> None:
    frame = run(tmp_path / "run").evaluations
    stopped = frame[frame["status"] == "stopped"]
    assert len(stopped) > 5
    assert set(stopped["rungs"].map(len)) <= {1, 2}
    assert set(frame[frame["status"] == "ok"]["rungs"].map(len)) == {3}


class Stop(Exception):
    pass


def stopping_after(count: int) -> Any:
    def watch(loop: Search, evaluation: Evaluation | None) -> None:
        if loop.evaluated >= count:
            raise Stop

    return watch


@MODES
def test_an_interrupted_search_goes_on_as_the_same(mode: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", schedule={"mode": mode}, work={"failing": (5, 11, 12)})
    for count in (1, 4, 7, 19, 30):
        with pytest.raises(Stop):
            run(tmp_path / "parts", stopping_after(count), schedule={"mode": mode}, work={"failing": (5, 11, 12)})
        assert len(list((tmp_path / "parts" / "journal").iterdir())) <= 2, "old segments are cleared away"
    parts = run(tmp_path / "parts", schedule={"mode": mode}, work={"failing": (5, 11, 12)})
    assert content(parts) == content(whole)
    assert populations(parts) == populations(whole)
    assert parts.verify().difference == ""


def test_a_killed_driver_has_every_birth_on_disk_and_goes_on(binaries: Path, tmp_path: Path) -> None:
    """In the serial runtime the candidates that kill their process kill the driver."""
    whole = run(tmp_path / "whole")
    work = {"killing": (0, 3, 20), "marks": str(tmp_path)}
    program = f"from tests.test_loop import *; run(Path({str(tmp_path / 'run')!r}), work={work!r})"
    for killer in (0, 3, 20):
        line = [binaries / "run-code", program]
        killed = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        assert killed.returncode == 128 + signal.SIGKILL, killed.stderr
        record = recovered(tmp_path / "run")
        assert [candidate.index for candidate in record.pending] == [killer]
        assert len(record.evaluated) <= killer
    found = run(tmp_path / "run", work=work)
    assert content(found) == content(whole)
    assert populations(found) == populations(whole)


def test_running_time_adds_up_over_restarts(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(9), work={"delay": 0.01})
    before = recovered(tmp_path / "run").elapsed_s
    seen: list[float] = []
    run(tmp_path / "run", lambda search, evaluation: seen.append(search.elapsed_s))
    assert seen[0] >= before > 0.1


def test_another_seed_is_another_search_and_trains_with_other_seeds(tmp_path: Path) -> None:
    first, second = run(tmp_path / "first"), run(tmp_path / "second", seed=4)
    assert not set(first.evaluations["seed"]) & set(second.evaluations["seed"])
    assert first.evaluations["seed"].is_unique
    assert first.evaluations["genome"].map(tuple).tolist() != second.evaluations["genome"].map(tuple).tolist()


def test_resuming_a_finished_search_changes_nothing(tmp_path: Path) -> None:
    before = content(run(tmp_path / "run"))
    files = sorted(p.name for p in (tmp_path / "run" / "evaluations").iterdir())
    assert content(run(tmp_path / "run")) == before
    assert sorted(p.name for p in (tmp_path / "run" / "evaluations").iterdir()) == files


def test_a_larger_budget_extends_the_search(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", budget={"evaluations": 50})
    run(tmp_path / "run", budget={"evaluations": 30})
    longer = run(tmp_path / "run", budget={"evaluations": 50})
    assert content(longer) == content(whole)
    assert longer.verify().difference == ""


def test_another_config_is_refused_by_its_first_difference(tmp_path: Path) -> None:
    run(tmp_path / "run")
    with pytest.raises(UserError, match=r"strategy\.population is 8 there, 10 here"):
        run(tmp_path / "run", strategy={"population": 10})


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("do not touch")
    with pytest.raises(UserError, match="neither empty nor a run folder"):
        run(tmp_path)


def test_a_second_search_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    def watch(loop: Search, evaluation: Evaluation | None) -> None:
        with pytest.raises(UserError, match="another search or training is writing"):
            run(tmp_path / "run")
        raise Stop

    with pytest.raises(Stop):
        run(tmp_path / "run", watch)


def test_an_exhausted_space_ends_the_search(tmp_path: Path) -> None:
    start = prepared(tmp_path / "run", config(budget={"evaluations": 10**6}), Small())
    assert execute(start, watch=quiet) == "all 9 different networks of the space were evaluated"
    assert len(evonas.load(tmp_path / "run").evaluations) == 9


class Small(Toy):
    """Nine networks: one block of one width."""

    stem = evonas.Choice(8, 16, 32)
    blocks = evonas.Repeat(1, width=evonas.Choice(8), op=evonas.Choice("conv", "pool", "skip"))


def test_a_live_run_can_be_read(tmp_path: Path) -> None:
    seen: list[int] = []

    def watch(loop: Search, evaluation: Evaluation | None) -> None:
        seen.append(len(evonas.load(tmp_path / "run").evaluations))
        assert evonas.load(tmp_path / "run").status()["state"] == "running"

    run(tmp_path / "run", watch, budget={"evaluations": 12})
    assert seen[-1] >= 8
    assert len(pd.read_parquet(tmp_path / "run" / "evaluations")) == 12


def test_an_option_without_annotation_and_one_that_is_text_are_options() -> None:
    from evonas.config import PartConfig
    from evonas.config.options import construct

    def part(*, width, depth: "int" = 1):  # type: ignore[no-untyped-def]
        return width, depth

    assert construct({"part": part}, PartConfig(kind="part", width="wide", depth=2), "part") == ("wide", 2)
    with pytest.raises(UserError, match="depth"):
        construct({"part": part}, PartConfig(kind="part", width=1, depth="deep"), "part")


def test_weights_are_written_before_their_decision(tmp_path: Path) -> None:
    start = prepared(tmp_path / "run", config(), weights_kb=0.1)

    def broken(self: Weights, index: int, data: bytes) -> None:
        raise OSError("disk full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Weights, "save", broken)
        with pytest.raises(OSError, match="disk full"):
            execute(start, watch=quiet)
    assert evonas.load(tmp_path / "run").front().empty
    execute(start, watch=quiet)
    found = evonas.load(tmp_path / "run")
    kept = {int(path.stem) for path in (tmp_path / "run" / "weights").iterdir()}
    assert kept == set(found.front()["candidate"])


def test_lineage_leads_back_to_founders(tmp_path: Path) -> None:
    found = run(tmp_path / "run")
    child = found.evaluations[found.evaluations["operator"] != "random"]["candidate"].iloc[-1]
    family = found.lineage(child)
    assert family["candidate"].iloc[-1] == child
    assert family["operator"].iloc[0] == "random"
    members = set(family["candidate"])
    assert all(set(parents) <= members for parents in family["parents"])


class TestVerifyCatches:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        run(tmp_path / "run")
        return tmp_path / "run"

    def rewrite(self, folder: Path, name: str, column: str, row: int, value: Any) -> str:
        """Change one cell of generation 2 and all that vouches for it, then verify."""
        forge_cell(folder, name, 2, column, row, value)
        return evonas.load(folder, Toy()).verify().difference

    def test_a_changed_gene(self, folder: Path) -> None:
        changed = self.rewrite(folder, "evaluations", "genome", 3, lambda g: [(g[0] + 1) % 3, *g[1:]])
        assert changed.startswith("candidate 11: arch is")

    def test_another_parent(self, folder: Path) -> None:
        assert self.rewrite(folder, "evaluations", "parents", 5, [0]).startswith("candidate 13: parents is")

    def test_a_better_error_than_was_reached(self, folder: Path) -> None:
        def better(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [{**r, "metrics": {**r["metrics"], "error": 0.0}} for r in rungs]

        assert self.rewrite(folder, "evaluations", "rungs", 0, better)

    def test_a_stop_that_no_bar_gives(self, folder: Path) -> None:
        frame = evonas.load(folder).evaluations.iloc[8:16]
        row = frame["status"].tolist().index("ok")
        assert "stopped" in self.rewrite(folder, "evaluations", "status", row, "stopped")

    def test_an_objective_that_no_rung_gave(self, folder: Path) -> None:
        assert "error is 0.0" in self.rewrite(folder, "evaluations", "error", 2, 0.0)

    def test_a_swapped_survivor(self, folder: Path) -> None:
        assert self.rewrite(folder, "populations", "candidate", 1, 0).startswith("generation 2: survivor")

    def test_a_flipped_byte(self, folder: Path) -> None:
        path = folder / "evaluations" / "generation-00002.parquet"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"generation-00002\.parquet is damaged.*generations 1-1 are intact"):
            evonas.load(folder, Toy()).verify()
