"""Real networks of an earlier run: what is left of the weights is taken along, the others are trained again."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import evonas
from evonas.cli import main
from evonas.start import execute, prepare
from tests.test_determinism import CONFIG
from tests.test_loop import content, quiet

pytestmark = pytest.mark.slow
SMALLER: dict[str, Any] = {"limits": [{"metric": "params", "at_most": 600}], "budget": {"evaluations": 2}}


def run(folder: Path, earlier: Path | None, runtime: dict[str, Any] | None = None, **changes: Any) -> evonas.Run:
    chosen = {"kind": "serial", "cpus_per_worker": 0.5, **(runtime or {})}
    settings = {**CONFIG, "runtime": chosen, **changes}
    execute(prepare(settings, run=folder, from_run=earlier), watch=quiet)
    return evonas.load(folder)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("earlier") / "run", None)


def weights(found: evonas.Run) -> dict[str, str]:
    """Network -> SHA-256 of its weights."""
    front = found.front()
    return {
        row["arch_hash"]: hashlib.sha256(
            Path(found.folder, "weights", f"{row['candidate']:06d}.safetensors").read_bytes()
        ).hexdigest()
        for row in front.to_dict("records")
    }


def reused_of(found: evonas.Run) -> list[dict[str, Any]]:
    """Those of the front that another run has trained."""
    return [row for row in found.front().to_dict("records") if "from" in row["conditions"]]


def test_the_front_has_its_weights_whether_they_were_kept_or_trained_again(
    earlier: evonas.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = run(tmp_path / "kept", Path(earlier.folder), **SMALLER)
    assert kept.verify().difference == ""
    there, here = earlier.scores("error"), kept.scores("error")
    old = {row["candidate"]: int(row["conditions"]["from_candidate"]) for row in reused_of(kept)}
    assert old
    assert all(there.loc[old[own]].tolist() == here.loc[own].tolist() for own in old), "the scores go along"
    copy = Path(shutil.copytree(earlier.folder, tmp_path / "copy"))
    shutil.rmtree(copy / "weights")
    again = run(tmp_path / "again", copy, **SMALLER)
    assert again.verify().difference == ""
    assert weights(again) == weights(kept), "the same seed gives the same weights"
    assert any("trained again for the weights: equal to the bit" in line for line in again.remarks())
    reused = reused_of(again)
    assert reused
    for row in reused:
        assert sum(p.numel() for p in again.build(row["candidate"]).parameters()) == row["params"]
    out = str(tmp_path / "network.pt2")
    assert main(["export", str(tmp_path / "again"), str(reused[0]["candidate"]), "--out", out]) == 0
    torch.export.load(out)
    capsys.readouterr()


def test_a_training_that_comes_out_otherwise_is_said(
    earlier: evonas.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(earlier.folder, tmp_path / "copy"))
    shutil.rmtree(copy / "weights")
    with monkeypatch.context() as patch:
        patch.setattr("evonas.driver.breeding.Breeder._seed", lambda self, index: 1)
        found = run(tmp_path / "run", copy, **SMALLER)
    lines = [line for line in found.remarks() if "trained again for its weights" in line]
    assert lines
    assert all("error is " in line and " in its row" in line for line in lines)


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_ray_workers(workers: int, earlier: evonas.Run, tmp_path: Path) -> None:
    changes = {"objectives": [{"metric": "error"}, {"metric": "macs"}], "budget": {"evaluations": 6}}
    one = run(tmp_path / "serial", Path(earlier.folder), **changes)
    several = run(tmp_path / "ray", Path(earlier.folder), {"kind": "ray", "workers": workers}, **changes)
    assert content(several) == content(one)
    assert weights(several) == weights(one)
    assert several.verify().difference == ""


def test_runs_that_share_a_cache_train_nothing_twice(tmp_path: Path) -> None:
    """Of one seed with other strategies: what both have trained to the end has the same curve and weights."""
    runtime, training = {"cache": str(tmp_path / "cache")}, {**CONFIG["training"], "rungs": []}
    first = run(tmp_path / "first", None, runtime, training=training, budget={"evaluations": 3})
    old = first.front().iloc[0]
    other = {"strategy": {"kind": "random"}, "founders": [json.loads(old["arch"])], "budget": {"evaluations": 1}}
    again = run(tmp_path / "again", None, runtime, training=training, **other)
    (row,) = again.evaluations.to_dict("records")
    assert row["conditions"]["trained_by"].startswith(f"candidate {old['candidate']} of ")
    assert row["error"] == old["error"]
    assert weights(again)[row["arch_hash"]] == weights(first)[old["arch_hash"]]
    assert again.verify().difference == ""
