"""A network for a table leaves its run with what encodes other rows as those were that it learned from."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

import evonas
from evonas.cli import main
from evonas.errors import UserError
from evonas.inputs import called
from evonas.tasks.table import Encoder
from tests.test_tables import mapped, stays

CONFIG = {
    "space": {"kind": "mlp", "layers": [1, 1], "widths": [8], "norm": [False], "dropout": [0.0]},
    "task": {"kind": "table", "label": "stays", "split": {"by": "patient"}, "metrics": ["log_loss", "error"]},
    "objectives": [{"metric": "log_loss"}, {"metric": "params"}],
    "strategy": {"population": 2},
    "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.02},
    "budget": {"evaluations": 2},
    "runtime": {"kind": "serial"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    folder = tmp_path_factory.mktemp("table")
    stays().to_csv(folder / "stays.csv", index=False)
    task = {**CONFIG["task"], "path": str(folder / "stays.csv")}
    return evonas.search({**CONFIG, "task": task}, run=folder / "run")


def exported(run: evonas.Run, folder: Path, form: str, *more: str) -> Path:
    chosen = str(run.front()["candidate"].iloc[0])
    assert main(["export", str(run.folder), chosen, "--out", str(folder / f"net.{form}"), *more]) == 0
    return folder / f"net.{form}"


def unseen_rows() -> pd.DataFrame:
    """As they come later: gaps, a city that nobody knew, other columns, in another order."""
    rows = stays().iloc[:40].drop(columns=["stays", "patient", "unit"])
    rows.loc[5, "city"] = "Atlantis"
    rows.loc[6, "pay"] = None
    return rows[rows.columns[::-1]]


def test_other_rows_go_through_the_file_as_through_the_network(
    run: evonas.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exported(run, tmp_path, "onnx", "--card", str(tmp_path / "net.md"))
    assert f"{tmp_path}/net.columns.json: which column each number of its inputs is" in capsys.readouterr().out
    x = Encoder.load(tmp_path / "net.columns.json")(unseen_rows())
    session = onnxruntime.InferenceSession(file)
    network, task = run.build(int(run.front()["candidate"].iloc[0])), run.task()
    with torch.no_grad():
        expected = called(network, task.prepare(mapped(x))).numpy()
    assert session.run(None, x)[0] == pytest.approx(expected, abs=1e-5)
    about = json.loads(session.get_modelmeta().custom_metadata_map["columns"])
    assert about == json.loads((tmp_path / "net.columns.json").read_text())
    assert about["classes"] == ["no", "yes"]
    card = (tmp_path / "net.md").read_text()
    assert "| categories | 0 | city | 1 Lima, 2 Oslo, 3 Rome; any other: 0, a gap: the last |" in card
    assert "| numbers | 0 | age | gaps become " in card


def test_another_file_is_no_description_of_columns(tmp_path: Path) -> None:
    for text in ("{}", "[1]", "no JSON", '{"table": {"numbers": 3}, "inputs": {}}'):
        (tmp_path / "net.columns.json").write_text(text)
        with pytest.raises(UserError, match="does not describe columns, as evonas export writes them"):
            Encoder.load(tmp_path / "net.columns.json")
    with pytest.raises(UserError, match="No such file"):
        Encoder.load(tmp_path / "nowhere.json")


@pytest.mark.slow
def test_every_format_takes_rows_and_8_bits_leave_numbers_as_they_are(run: evonas.Run, tmp_path: Path) -> None:
    x = None
    outputs = {}
    for form in ("pt2", "py", "onnx"):
        file = exported(run, tmp_path, form, *(["--int8"] if form == "onnx" else []))
        x = x or Encoder.load(tmp_path / "net.columns.json")(unseen_rows())
        parts = tuple(mapped(x).values())
        if form == "pt2":
            outputs[form] = torch.export.load(file).module()(*parts).detach().numpy()
        elif form == "py":
            names: dict[str, object] = {}
            exec(compile(file.read_text(), "net.py", "exec"), names)
            outputs[form] = names["load"]()(*parts).detach().numpy()  # type: ignore[operator]
        else:
            outputs[form] = onnxruntime.InferenceSession(file).run(None, x)[0]
    assert outputs["py"] == pytest.approx(outputs["pt2"], abs=1e-5)
    spread = np.ptp(outputs["py"])
    assert np.abs(outputs["onnx"] - outputs["py"]).max() < 0.1 * spread, "an outlier of a million would swallow 8 bits"
    import openvino

    file = exported(run, tmp_path, "onnx")
    compiled = openvino.compile_model(openvino.convert_model(file), "CPU")
    assert compiled(x)[0] == pytest.approx(outputs["py"], abs=1e-3)
