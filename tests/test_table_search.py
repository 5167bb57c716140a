"""A table made by the command, a search that adds latencies up from it, and the measurements that runs share."""

import shutil
from pathlib import Path

import pytest
import yaml

import evonas
from evonas import analysis, figures
from evonas.cli import main

CONFIG = {
    "space": {"kind": "mobile", "stages": 1, "stem": 8, "strides": 1, "widths": [8, 16], "depths": [1, 2]}
    | {"blocks": ["residual"], "squeeze": [False], "activations": ["relu"]},
    "task": {"kind": "digits"},
    "targets": {"cpu": {"max_seconds": 0.3}},
    "strategy": {"population": 4},
    "training": {"epochs": 1},
    "budget": {"evaluations": 4},
    "runtime": {"kind": "serial"},
}
"""4 networks."""


def written(folder: Path, latency: dict[str, str], **runtime: str) -> str:
    objectives = [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu", **latency}]
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, "objectives": objectives, "runtime": {"kind": "serial", **runtime}}))
    return str(path)


def test_a_search_by_a_table_and_its_front_measured_for_real(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, folder = tmp_path / "cpu.parquet", tmp_path / "run"
    assert main(["table", written(tmp_path, {}), "--target", "cpu", "--out", str(table)]) == 0
    assert "blocks of mobile on cpu" in capsys.readouterr().out
    config = written(tmp_path, {"from": str(table)})
    assert main(["search", config, "--run", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "table against measurement on cpu: mean error" in said
    run = evonas.load(folder)
    assert "latency_low_ms[cpu]" not in run.evaluations
    assert set(run.measured["candidate"]) == set(run.front()["candidate"])
    assert run.verify().difference == ""
    shutil.move(table, tmp_path / "gone.parquet")
    assert main(["search", config, "--run", str(folder)]) == 2
    assert "cpu.parquet" in capsys.readouterr().err


def test_what_one_run_has_measured_another_does_not_measure_again(tmp_path: Path) -> None:
    shared = tmp_path / "measurements"
    config = written(tmp_path, {}, measurements=str(shared))
    rows, kept = [], []
    for name in ("one", "two"):
        assert main(["search", config, "--run", str(tmp_path / name)]) == 0
        frame = evonas.load(tmp_path / name).evaluations.set_index("candidate")
        rows.append(frame[frame["status"] == "ok"])
        kept.append(len([path for path in shared.iterdir() if not path.name.startswith("reference-")]))
    again = rows[1][rows[1]["conditions"].map(lambda row: row.get("measured[cpu]") == "before")]
    assert len(again) == kept[0]  # those that settled in time
    both = rows[0].loc[again.index]
    saved = analysis.outcomes(evonas.load(tmp_path / "two").evaluations)["saved_hours"].sum()
    took = rows[0].loc[again.index, "conditions"].map(lambda row: float(row["took_s[cpu]"]))
    assert 3600 * saved == pytest.approx(took.sum())
    texts = [mark.name for mark in figures.outcomes(evonas.load(tmp_path / "two")).marks]
    assert texts[-1].startswith("saved, for a measurement was known from before") == (saved > 0)
    undisputed = (both["remeasured[cpu]"] == 0) & (again["remeasured[cpu]"] == 0)
    assert both["latency_ms[cpu]"][undisputed].tolist() == again["latency_ms[cpu]"][undisputed].tolist()
