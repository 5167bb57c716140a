"""Texts by characters, bytes and tokens, from tables and folders; what the next unit costs in bits per byte."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from evonas.cli import main
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.prepare import prepare_of
from evonas.tasks.texts.characters import BitsAndBytes, ratio
from evonas.testing import check_task

GREETINGS = ["guten tag", "grüß gott", "bonjour", "ça va", "hello there", "good day"]
ROWS = pd.DataFrame(
    {
        "text": [f"{GREETINGS[i % 6]} {i}" for i in range(60)],
        "label": [("de", "fr", "en")[i % 6 // 2] for i in range(60)],
        "author": [f"a{i // 6}" for i in range(60)],
    }
)


def made(kind: str, path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": kind, "path": str(path), **options}), "task")


def table(folder: Path, rows: pd.DataFrame = ROWS, name: str = "texts.csv") -> Path:
    if name.endswith("parquet"):
        rows.to_parquet(folder / name)
    else:
        rows.to_csv(folder / name, index=False)
    return folder / name


def tokenizer(folder: Path) -> str:
    """A file of a tokenizer of words and what they are spelled by, without a padding token."""
    tokenizers = pytest.importorskip("tokenizers")
    own = tokenizers.ByteLevelBPETokenizer()
    own.train_from_iterator(ROWS["text"], vocab_size=300)
    own.save(str(folder / "tokenizer.json"))
    return str(folder / "tokenizer.json")


@pytest.mark.parametrize("name", ["texts.csv", "texts.parquet"])
def test_rows_of_a_table_are_texts_with_classes(name: str, tmp_path: Path) -> None:
    task = made("text_table", table(tmp_path, name=name), characters=20)
    check_task(task)
    assert task.classes == ("de", "en", "fr")
    assert len(task.splits.train) == 48
    characters = sorted(set("".join(ROWS["text"])))
    found = {
        ("".join(characters[number - 1] for number in row if number), task.classes[label])
        for split in task.splits.parts.values()
        for row, label in zip(split.x.tolist(), split.y.tolist(), strict=True)
    }
    assert found == set(zip(ROWS["text"], ROWS["label"], strict=True))


def test_bytes_are_utf8_whatever_the_text_comes_from(tmp_path: Path) -> None:
    task = made("text_table", table(tmp_path), unit="bytes", characters=20)
    check_task(task)
    assert task.spec.input.high == 256
    texts = {bytes(row).lstrip(b"\0").decode() for split in task.splits.parts.values() for row in split.x}
    assert texts == set(ROWS["text"])
    for i, row in ROWS.iterrows():
        (tmp_path / "folder" / row["label"]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / row["label"] / f"{i}.txt").write_bytes(row["text"].encode())
    folder = made("text_folder", tmp_path / "folder", unit="bytes", characters=20)
    again = {bytes(row).lstrip(b"\0").decode() for split in folder.splits.parts.values() for row in split.x}
    assert again == texts


def test_an_author_stays_in_one_part_and_gaps_are_left_out(tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows.loc[[3, 9], "text"] = ["  ", None]
    rows.loc[5, "label"] = None
    path = table(tmp_path, rows)
    task = made("text_table", path, split={"by": "author"}, valid_fraction=0.2, test_fraction=0.2, characters=20)
    assert "3 of 60 rows of train have no text or no class, and are left out" in task.notes
    assert sum(map(len, task.splits.parts.values())) == 57
    digits: list[set[int]] = [set() for _ in range(3)]
    characters = sorted(set("".join(rows.dropna()["text"])))
    for own, split in zip(digits, task.splits.parts.values(), strict=True):
        for row in split.x.tolist():
            text = "".join(characters[number - 1] for number in row if number)
            own.add(int(text.rsplit(" ", 1)[1]) // 6)
    assert sum(map(len, digits)) == len(set.union(*digits))


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        (ROWS.rename(columns={"text": "texts"}), {}, "task.text: unknown 'text'; did you mean 'texts'"),
        (ROWS, {"label": "lable"}, "task.label: unknown 'lable'; did you mean 'label'"),
        (ROWS.assign(text=""), {}, "task.text: all 60 texts of .*texts.csv are empty, or without a class"),
        (ROWS.assign(text=range(60)), {}, "task.text: text of .*texts.csv holds int64, no texts"),
        (ROWS.assign(label="one"), {}, "all labels are alike"),
        (ROWS, {"unit": "byte"}, "task.unit: unknown 'byte'; did you mean 'bytes'"),
        (ROWS, {"unit": "words"}, "task.unit: unknown 'words' .*; or a file of a tokenizer"),
        (ROWS, {"split": {"by": "writer"}}, "task.split.by: unknown 'writer'"),
    ],
)
def test_what_a_table_of_texts_cannot_be_is_one_line(
    rows: pd.DataFrame, options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says) as error:
        made("text_table", table(tmp_path, rows), **options)
    assert "\n" not in str(error.value)


def test_bits_per_byte_of_known_outputs() -> None:
    target = torch.tensor([[0, 1], [2, 2]])
    own = BitsAndBytes((1.0, 2.0, 3.0, 4.0))(torch.zeros(2, 2, 4), target)
    assert own.tolist() == pytest.approx(np.array([[4.0, 3.0], [4.0, 6.0]]))
    assert float(ratio(own)) == pytest.approx(8 / 9)


def test_bits_per_byte_are_alike_whatever_the_unit(tmp_path: Path) -> None:
    text = "grüße " * 200
    (tmp_path / "t.txt").write_text(text)
    found = {}
    for unit in ("characters", "bytes"):
        task = made("characters", tmp_path / "t.txt", unit=unit, context=8)
        check_task(task)
        metric = made("characters", tmp_path / "t.txt", unit=unit, context=8, metrics=["bits_per_byte"]).metrics
        y = torch.from_numpy(task.splits.valid.y)
        statistics = metric["bits_per_byte"].statistics(torch.zeros(*y.shape, task.spec.output_shape[1]), y)
        found[unit] = float(metric["bits_per_byte"].reduce(statistics.reshape(len(y), -1)))
    y = made("characters", tmp_path / "t.txt", context=8).splits.valid.y
    called = made("characters", tmp_path / "t.txt", context=8).classes
    width = np.mean([len(called[number].encode()) for number in y.flat])
    assert found["characters"] == pytest.approx(np.log2(7) / width)  # six characters and any other
    assert found["bytes"] == pytest.approx(8)


def test_the_next_byte_of_any_file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(bytes(range(256)) * 10)
    task = made("characters", tmp_path / "t.txt", unit="bytes", context=16)
    assert list(task.metrics) == ["error", "bits_per_byte"]
    assert task.splits.train.x[1].tolist() == list(range(16, 32))
    again = prepare_of(data_record(task))
    assert again is not None
    assert again(torch.from_numpy(task.splits.train.x)).dtype == torch.int64


def test_tokens_of_a_file(tmp_path: Path) -> None:
    unit = tokenizer(tmp_path)
    from tokenizers import Tokenizer

    own = Tokenizer.from_file(unit)
    task = made("text_table", table(tmp_path), unit=unit, characters=8)
    check_task(task)
    texts = {own.decode([number for number in row if number]) for row in task.splits.train.x.tolist()}
    assert texts <= set(ROWS["text"])
    assert task.spec.input.high == own.get_vocab_size()

    (tmp_path / "t.txt").write_text("grüß gott, guten tag " * 100)
    following = made("characters", tmp_path / "t.txt", unit=unit, context=8)
    check_task(following)
    widths = following.metrics["bits_per_byte"].statistics.widths  # type: ignore[attr-defined]
    text = (tmp_path / "t.txt").read_text()
    assert sum(widths[number] for number in own.encode(text).ids) == len(text.encode())


def test_a_token_of_letters_is_as_wide_as_where_it_stands(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    own = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "[PAD]": 1, "gruß": 2, "an": 3}, "[UNK]"))
    own.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    own.save(str(tmp_path / "words.json"))
    (tmp_path / "t.txt").write_text("gruß an alle " * 50)
    task = made("characters", tmp_path / "t.txt", unit=str(tmp_path / "words.json"), context=3)
    assert task.metrics["bits_per_byte"].statistics.widths == (4, 5, 5, 2)  # type: ignore[attr-defined]
    short = made("text_table", table(tmp_path), unit=str(tmp_path / "words.json"), characters=8)
    assert (short.splits.train.x[:, 0] == 1).all(), "filled up with the token for it"


@pytest.mark.parametrize(("written", "says"), [("{}", "is no file of a tokenizer"), (None, "no file .*own.json")])
def test_what_is_no_tokenizer_is_one_line(written: str | None, says: str, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    if written:
        (tmp_path / "own.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(UserError, match=f"^task.unit: .*{says}"):
        made("text_table", table(tmp_path), unit=str(tmp_path / "own.json"))


def test_without_tokenizers_a_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UserError, match=r"^task.unit: .*own.json needs tokenizers: pip install .*\[tokenizers\]"):
        made("text_table", table(tmp_path), unit="own.json")


def test_texts_that_are_empty_end_a_search_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(20):
        (tmp_path / "data" / "ab"[i % 2]).mkdir(exist_ok=True, parents=True)
        (tmp_path / "data" / "ab"[i % 2] / f"{i}.txt").write_text("word" if i > 1 else " \n")
    config = tmp_path / "c.yaml"
    config.write_text(
        f"space: {{kind: tcn}}\ntask: {{kind: text_folder, path: {tmp_path / 'data'}}}\n"
        "objectives: [{metric: error}, {metric: params}]\nbudget: {evaluations: 2}\n"
    )
    assert main(["search", str(config), "--run", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "cannot read 2 .txt files" in said
    assert "0.txt is empty" in said
    assert len(said.splitlines()) == 1


def test_dates_that_are_texts_are_in_the_order_of_time(tmp_path: Path) -> None:
    days = pd.date_range("2019-11-01", periods=60, freq="D")
    task = made("text_table", table(tmp_path, ROWS.assign(when=days.strftime("%d.%m.%Y"))), split={"time": "when"})
    plain = made("text_table", table(tmp_path, ROWS.assign(when=range(60))), split={"time": "when"})
    assert (task.splits.test.x == plain.splits.test.x).all()
    with pytest.raises(UserError, match=r"task\.split\.time: when holds no times"):
        made("text_table", table(tmp_path, ROWS.assign(when="soon")), split={"time": "when"})
