"""What leaves a run beside the network: metadata, 8 bits with what they cost, latencies of the file, a model card."""

import importlib.util
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import evonas
from evonas.cli import main
from evonas.config import TargetConfig
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.exporters import EXPORTERS
from evonas.exporters.int8 import judged, quantised
from evonas.exporters.latency import latencies
from evonas.exporters.onnx import ONNX, session
from evonas.final.train import train
from evonas.records import InputSpec
from evonas.report.card.drawing import drawing
from evonas.report.card.tables import table
from tests.tutorial import blocks

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export.md"
CONFIG = {
    "space": {"kind": "mobile", "stages": 1, "widths": [8], "depths": [1]},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 2},
    "training": {"epochs": 3},
    "budget": {"evaluations": 2},
    "runtime": {"kind": "serial"},
}
Said = Callable[..., list[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return evonas.search(CONFIG, run=tmp_path_factory.mktemp("card") / "run")


@pytest.fixture
def said(run: evonas.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """An export of the best network in a folder of its own: its lines."""
    monkeypatch.chdir(tmp_path)
    best = str(run.front()["candidate"].iloc[0])

    def export(*words: str) -> list[str]:
        assert main(["export", str(run.folder), best, *words]) == 0
        return capsys.readouterr().out.splitlines()

    return export


def test_a_file_in_8_bits_comes_with_the_metric_before_and_after(run: evonas.Run, said: Said) -> None:
    lines = said("--out", "net.onnx", "--int8", "--card", "card.md")
    best = run.front().iloc[0]
    file, task = Path("net.onnx").read_bytes(), run.task()
    after = judged(session(file), task, "error", torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
    told = re.search(
        r"^int8, calibrated on 512 training examples: error of 359 validation examples (\S+) before, (\S+) after; "
        r"\d+ kB before, \d+ kB after$",
        lines[1],
    )
    assert told
    assert float(told[1]) == pytest.approx(best["error"], rel=1e-3)
    assert float(told[2]) == pytest.approx(after, rel=1e-3)
    assert b"DequantizeLinear" in file
    labels = EXPORTERS["onnx"].labels
    assert labels
    assert labels.get(file)["quantised"] == lines[1]
    assert f"{lines[1]}." in Path("card.md").read_text()


def test_8_bits_are_calibrated_by_training_examples(run: evonas.Run, said: Said) -> None:
    said("--out", "net.onnx")
    task = run.task()
    task.splits.train.x[:] = 0  # type: ignore[index]  # nothing but zeros: no range of an activation is right then
    found = quantised(
        ONNX, nn.Identity(), Path("net.onnx").read_bytes(), task, torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    )
    assert found.after > found.before + 0.2


def test_without_its_data_a_network_is_not_quantised(run: evonas.Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="onnxruntime cannot quantise the network: "):
        quantised(ONNX, nn.Identity(), b"no network", run.task(), torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize("form", [name for name in EXPORTERS if name not in ("pte", "tflite")])
def test_metadata_say_what_the_file_is(form: str, run: evonas.Run, said: Said) -> None:
    said("--out", f"net.{form}")
    labels = EXPORTERS[form].labels
    assert labels
    found = labels.get(Path(f"net.{form}").read_bytes())
    best = run.front().iloc[0]
    assert json.loads(found["classes"]) == list("0123456789")
    assert json.loads(found["inputs"]) == {"input": {"dtype": "uint8", "shape": ["N", 1, 8, 8]}}
    assert (found["candidate"], found["run"]) == (str(best["candidate"]), run.description["id"])
    assert found["weights_sha256"] == best["weights_sha256"]
    space: dict[str, Any] = {}
    for block in blocks(PAGE.read_text()):
        if f"def classes_of_{form}(" in block.code:  # as people read that something reads them
            exec(block.code, space)
            assert space[f"classes_of_{form}"](f"net.{form}") == list("0123456789")
    assert space or form == "py"


@pytest.mark.parametrize(
    ("missing", "words", "says"),
    [
        ("onnxruntime", ["--out", "net.onnx", "--int8"], "--int8: it needs onnx and onnxruntime; pip install"),
        ("onnx", ["--out", "net.onnx"], "networks are converted with onnx; pip install"),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    missing: str,
    words: list[str],
    says: str,
    run: evonas.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else found(name))
    monkeypatch.setitem(sys.modules, missing, None)
    best = str(run.front()["candidate"].iloc[0])
    assert main(["export", str(run.folder), best, *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line
    assert not list(tmp_path.iterdir())


def test_a_python_file_has_a_name_that_can_be_imported(said: Said) -> None:
    assert re.match(r"candidate_\d\.py: takes uint8", said("--format", "py")[0])


def test_the_card_has_its_numbers_from_the_run(run: evonas.Run, said: Said) -> None:
    lines = said("--out", "net.safetensors", "--card", "card.md", "--licence", "CC | BY\n4.0")
    assert lines[-1] == "card.md: the model card"
    card = Path("card.md").read_text()
    best = evonas.analysis.with_intervals(run.front(), run.description).iloc[0]
    interval = f"{best['error_low']:.3g} to {best['error_high']:.3g}"
    assert f"| error | smaller | {best['error']:.4g} | {interval} | validation, 359 examples: chosen by them |" in card
    assert f"| parameters | {best['params']:,.6g} |" in card
    assert "Licence of the data: CC \\| BY 4.0\n" in card
    assert f"evonas verify {run.folder}" in card
    assert "The test split of 360 examples was not looked at" in card
    assert "not given" not in card


def test_the_config_in_the_card_is_that_of_the_search(run: evonas.Run, said: Said) -> None:
    said("--out", "net.safetensors", "--card", "card.md")
    text = re.search(r"```yaml\n(.*?)```", Path("card.md").read_text(), re.DOTALL)
    assert text
    assert load_config(yaml.safe_load(text[1])).fingerprint == run.description["fingerprint"]


def test_of_a_finished_network_the_card_has_the_test_figures(run: evonas.Run, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(str(run.folder), tmp_path / "run"))
    best = int(run.front()["candidate"].iloc[0])
    finished = train(evonas.load(copied), [best], overrides=("trials=1", "seeds=2", "epochs=1")).iloc[0]
    for name, words in {"final": [], "search": ["--search-weights"]}.items():
        out, card = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.md"
        assert main(["export", str(copied), str(best), "--out", str(out), "--card", str(card), *words]) == 0
        assert EXPORTERS["safetensors"].labels
        found = EXPORTERS["safetensors"].labels.get(out.read_bytes())
        which = finished if name == "final" else run.front().iloc[0]
        assert found["weights_sha256"] == which["weights_sha256"]
        assert "The test split of 360 examples was looked at 1 time in this run." in card.read_text()
    text = (tmp_path / "final.md").read_text()
    ends = f"{finished['test_low[error]']:.3g} to {finished['test_high[error]']:.3g}"
    assert f"| error | smaller | {finished['test[error]']:.4g} | {ends} | test, the mean of 2 seeds; interval" in text
    assert "of the search's weights, which are not in the file |" in text
    line = re.search(rf"^evonas train \S+ {best} (.*)", text, re.MULTILINE)
    assert line
    before = sorted(path.name for path in (copied / "final").iterdir())
    train(copied, [best], overrides=[word for word in shlex.split(line[1]) if word != "--set"])
    assert sorted(path.name for path in (copied / "final").iterdir()) == before
    assert "| test" not in (tmp_path / "search.md").read_text().partition("## How good")[2].partition("##")[0]


def test_a_drawing_names_the_parts_and_what_they_give() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.ReLU()), nn.Flatten(), nn.Linear(16, 2))
    assert drawing(network.eval(), torch.zeros(2, 1, 4, 4)).splitlines() == [
        "float32 (N, 1, 4, 4)",
        " ├─ 0  Conv2d, 2 ReLU  → (N, 4, 2, 2)         40 ████████████████████",
        " ├─ 1  Flatten         → (N, 16)               0",
        " ├─ 2  Linear          → (N, 2)               34 █████████████████",
        " └─ float32 (N, 2)",
    ]


def test_a_cell_ends_neither_its_row_nor_its_line() -> None:
    assert table(["a"], [["x | y\n\x1b[2Jz"]]).splitlines()[-1] == "| x \\| y [2Jz |"


@pytest.mark.parametrize(
    ("form", "target", "why"),
    [
        ("safetensors", {"backend": "torch"}, "runs torch, and no backend runs such a file"),
        ("onnx", {"backend": "torch"}, "runs torch, and onnxruntime or openvino runs such a file"),
        ("pt2", {"backend": "torch", "dtype": "bfloat16"}, "computes in bfloat16, the file in float32"),
        ("pt2", {"backend": "torch", "address": "http://board:8701"}, "on another machine"),
        ("pt2", {"backend": "torch", "device": "cuda:7"}, "there is no cuda:7"),
    ],
)
def test_a_target_that_cannot_measure_the_file_says_why(
    form: str, target: dict[str, str], why: str, run: evonas.Run
) -> None:
    config = load_config(CONFIG).model_copy(update={"targets": {"t": TargetConfig.model_validate(target)}})
    [found] = latencies(config, run.front().iloc[0], EXPORTERS[form], b"file", InputSpec((1, 8, 8)))
    assert str(found).startswith("latency_ms[t]: not measured: ")
    assert why in str(found)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pt2", "py", "onnx"])
def test_the_file_is_measured_on_the_targets_that_run_it(form: str, tmp_path: Path) -> None:
    backend = "onnxruntime" if form == "onnx" else "torch"
    config = CONFIG | {
        "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
        "targets": {"cpu": {"backend": backend, "max_seconds": 0.3}},
    }
    found = evonas.search(config, run=tmp_path / "run")
    row, out = found.front().iloc[0], str(tmp_path / f"net.{form}")
    words = ["--out", out, "--measure", "--card", str(tmp_path / "card.md")]
    assert main(["export", str(found.folder), str(row["candidate"]), *words]) == 0
    card = (tmp_path / "card.md").read_text()
    recorded = f"{row['latency_ms[cpu]']:.4g}"
    assert f"- `latency_ms[cpu]` as the search recorded it: {recorded} ms" in card
    assert re.search(rf"- latency_ms\[cpu\] of this file: \S+ \(95 % .*; the run recorded {recorded}", card)
    assert f"backend {backend}" in card


def test_several_inputs_are_measured_by_name() -> None:
    from evonas.exporters import written
    from evonas.testing.examples import SEVERAL, batch, networks

    [(_, network, _)] = [entry for entry in networks() if entry[2] is SEVERAL]
    x = batch(SEVERAL, 2)
    for form in ("pt2", "py"):
        file, _ = written(EXPORTERS[form], network.eval(), x)
        with torch.no_grad():
            assert np.allclose(EXPORTERS[form].loaded(file).eval()(**x), network(**x), atol=1e-5)
