"""A network for texts leaves its run with what makes numbers of other texts, for which nothing of evonas is needed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch

import evonas
from evonas.cli import main
from evonas.errors import UserError
from evonas.exporters import texts
from evonas.exporters.shipment import shipment
from evonas.runs.data import data_for_others
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.data_record.run_json import recorded_data
from tests.exporters.test_card import PAGE
from tests.test_texts import GREETINGS, ROWS, made, table, tokenizer
from tests.tutorial import blocks

CONFIG: dict[str, Any] = {
    "space": {"kind": "conv1d", "stages": 1, "widths": [8], "depths": [1]},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"kind": "random"},
    "training": {"epochs": 1, "batch_size": 16},
    "budget": {"evaluations": 1},
    "runtime": {"kind": "serial"},
}
OTHERS = ["bonne journée ☃", "hi", GREETINGS[1] + " und noch viel mehr"]


def by_hand(about: dict[str, Any], text: str) -> npt.NDArray[Any]:
    """(1, length), as the page reads it."""
    names: dict[str, Any] = {}
    (block,) = (block for block in blocks(PAGE.read_text()) if "def numbers_of(" in block.code)
    exec(block.code, names)
    return np.asarray(names["numbers_of"](text, about))


def test_other_texts_are_scored_by_the_file_and_what_lies_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by the run's own network, which is given them as training gave it texts."""
    (tmp_path / "data").mkdir()
    asked = ROWS[:6].assign(text=[*OTHERS, *GREETINGS[3:]])
    for part, rows in {"train": ROWS, "valid": ROWS[:6], "test": asked}.items():
        table(tmp_path / "data", rows, f"{part}.csv")
    run = searched(tmp_path, {"kind": "text_table", "path": str(tmp_path / "data"), "characters": 12})
    out, card = str(tmp_path / "net.onnx"), tmp_path / "net.md"
    assert main(["export", str(run.folder), "0", "--out", out, "--card", str(card)]) == 0
    assert f"{tmp_path}/net.text.json: how a text becomes the numbers that it takes in" in capsys.readouterr().out
    about = json.loads((tmp_path / "net.text.json").read_text())
    session = onnxruntime.InferenceSession(out)
    assert about == json.loads(session.get_modelmeta().custom_metadata_map["text"])

    task = run.task()
    with torch.no_grad():
        scores = run.build(0)(task.prepare(torch.from_numpy(task.splits.test.x))).numpy()
    found = [session.run(None, {"input": by_hand(about, text)})[0][0] for text in asked["text"]]
    assert np.array(found) == pytest.approx(scores, abs=1e-5)
    assert np.ptp(scores, axis=0).min() > 1e-3, "texts differ"
    assert about["classes"] == ["de", "en", "fr"]
    assert "In the file, examples are texts: 12 characters, each as its number (1 ' ', 2 '0', " in card.read_text()


@pytest.mark.parametrize("kind", ["text_table", "characters"])
@pytest.mark.parametrize("unit", ["characters", "bytes", "tokenizer"])
def test_every_unit_is_told_as_training_had_it(kind: str, unit: str, tmp_path: Path) -> None:
    unit = tokenizer(tmp_path) if unit == "tokenizer" else unit
    text = "grüß gott, ça va? " * 60
    if kind == "characters":
        (tmp_path / "t.txt").write_text(text)
        task = made(kind, tmp_path / "t.txt", unit=unit, context=9)
    else:
        (tmp_path / "data").mkdir()
        for part in ("train", "valid", "test"):
            table(tmp_path / "data", ROWS, f"{part}.csv")
        task = made(kind, tmp_path / "data", unit=unit, characters=9)
    about = json.loads(texts.texts(data_record(task)))
    x: Any = task.splits.train.x
    given = [by_hand(about, each) for each in ([text] if kind == "characters" else ROWS["text"])]
    assert about["next"] == (kind == "characters")
    assert (np.concatenate(given) == x[: len(given)]).all()
    assert given[0].dtype == x.dtype


def test_a_run_folder_has_its_tokenizer_and_a_large_one_is_left_out_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Path(tokenizer(tmp_path))
    table(tmp_path)
    run = searched(tmp_path, {"kind": "text_table", "path": str(tmp_path / "texts.csv"), "unit": str(unit)})
    assert run.description["data"]["tokenizer"] == ""
    kept = unit.read_bytes()
    unit.unlink()
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == kept
    monkeypatch.setattr(texts, "MOST_IN_METADATA", 100)
    found = shipment(run, 0)
    assert json.loads(found.beside["text"])["tokenizer"].encode() == kept
    inside = json.loads(found.labels["text"])
    assert inside["tokenizer"] == ""
    assert inside["tokenizer_sha256"] == hashlib.sha256(kept).hexdigest()
    assert "it is in the file beside (*.text.json)" in inside["how"]
    (tmp_path / "run" / "tokenizer.json").write_bytes(kept + b" ")
    with pytest.raises(UserError, match=r"tokenizer.json is damaged: its SHA-256 is not the recorded one"):
        shipment(run, 0)


def test_of_a_run_of_an_earlier_evonas_the_data_say_it(tmp_path: Path) -> None:
    path = table(tmp_path)
    config = {**CONFIG, "learner": {"kind": "none"}, "objectives": [{"metric": "params"}]}
    run = evonas.search({**config, "task": {"kind": "text_table", "path": str(path)}}, run=tmp_path / "run")
    expected = data_for_others(run)
    del run.description["data"]["text"]
    assert recorded_data(run.description, run.folder).text is None  # type: ignore[union-attr]
    assert data_for_others(run) == expected
    path.rename(tmp_path / "gone.csv")
    assert data_for_others(run).text is None  # type: ignore[union-attr]


def test_texts_that_became_other_numbers_are_other_data(tmp_path: Path) -> None:
    task = made("text_table", table(tmp_path))
    now = data_record(task)
    then = now.model_copy(update={"text": None})
    assert texts.texts(then) == ""
    assert not data_difference(then, now)
    assert now.text
    other = now.text.model_copy(update={"characters": now.text.characters[::-1]})
    assert data_difference(now.model_copy(update={"text": other}), now) == "texts become other numbers"


def searched(folder: Path, task: dict[str, Any]) -> evonas.Run:
    return evonas.search({**CONFIG, "task": task}, run=folder / "run", progress=False)
