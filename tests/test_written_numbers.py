"""Tables as people write them: decimal commas, thousands apart, units, a few texts among numbers; other encodings."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evonas import table_of
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.table import Encoder
from evonas.tasks.table.writing import reading_of

PRICES = np.round(np.linspace(0.5, 4999.5, 60), 2)


def made(kind: str, path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": kind, "path": str(path), **options}), "task")


def german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("texts", "numbers", "says"),
    [
        (["261,30", "-5,2", ",5"], [261.3, -5.2, 0.5], "numbers with decimal comma"),
        (["1.234,50", "12"], [1234.5, 12], "numbers with decimal comma, points between thousands"),
        (["1,234.50", "3.5"], [1234.5, 3.5], "numbers with decimal point, commas between thousands"),
        (["1.234.567", "1.000"], [1234567, 1000], "numbers with points between thousands"),
        (["1\u202f234,5", "7"], [1234.5, 7], "numbers with decimal comma, spaces between thousands"),
        (["1'234.5", "7"], [1234.5, 7], "numbers with decimal point, apostrophes between thousands"),
        (["12.5 €", "3 €"], [12.5, 3], "numbers with € behind"),
        (["€ 1,5", "€-2"], [1.5, -2], "numbers with decimal comma, € before"),
        (["45%", "5 %"], [45, 5], "numbers with % behind"),
        (["7 km/h", "1e2 km/h"], [7, 100], "numbers with km/h behind"),
        (["\u22123", "4"], [-3, 4], "numbers"),
        (["0,125", "0,250"], [0.125, 0.25], "numbers with decimal comma"),
    ],
)
def test_numbers_in_one_writing(texts: list[str], numbers: list[float], says: str) -> None:
    found = reading_of(Counter(texts))
    assert found is not None
    assert [found.numbers[text] for text in texts] == pytest.approx(numbers)
    assert (found.in_words(), found.missing, found.doubtful) == (says, {}, "")


@pytest.mark.parametrize(
    "texts",
    ["Rome Oslo", "u1 u2", "31.12.2024 01.01.2025", "2024-12-31", "12:30", "1-3 4-6", "3kg 4m", "1 2 3 x", "k.A. -"],
)
def test_other_texts_are_no_numbers(texts: str) -> None:
    assert reading_of(Counter(texts.split())) is None


def shop(folder: Path, name: str = "shop.csv", encoding: str = "utf-8") -> Path:
    """A price with a decimal comma and gaps, a share, postcodes, and what is to be predicted."""
    rows = ["größe;preis;anteil;plz;ziel"]
    for i, price in enumerate(PRICES):
        preis = "k.A." if i % 10 == 3 else "kaputt" if i == 5 else german(price)
        rows.append(f"{'klein' if i % 2 else 'groß'};{preis};{i} %;{i % 5}0115;{german(3 * price)} €")
    (folder / name).write_bytes("\n".join(rows).encode(encoding))
    return folder / name


def test_a_table_takes_them_as_features_and_as_target_and_other_rows_later(tmp_path: Path) -> None:
    task = made("table", shop(tmp_path), label="ziel", target="values", categories=["plz"])
    x, notes = task.splits.train.x["numbers"], "\n".join(task.notes)
    assert "preis: numbers with decimal comma, points between thousands" in notes
    assert "preis: taken as missing, for it is no number: 'k.A.' (6), 'kaputt' (1)" in notes
    assert "anteil: numbers with % behind" in notes
    assert "ziel: numbers with decimal comma, € behind, points between thousands" in notes
    known = ~np.isnan(x[:, 0])
    assert task.splits.train.y[known, 0] == pytest.approx(3 * x[known, 0], abs=0.02)
    assert set(x[:, 1]) <= set(range(60))
    kept = json.loads(data_record(task).model_dump_json())
    encoder = Encoder(type(task.prepare.record).model_validate(kept["table"]))
    rows = pd.DataFrame({"preis": ["1.234,5", "k.A."], "anteil": ["7 %", "8%"], "plz": [10115, 5], "größe": "klein"})
    assert encoder(rows)["numbers"] == pytest.approx(np.array([[1234.5, 7], [np.nan, 8]]), nan_ok=True)
    assert np.array_equal(encoder(rows.assign(preis=[1234.5, None]))["numbers"], encoder(rows)["numbers"], True)
    with pytest.raises(
        UserError, match=r"the column preis has '1,234\.5'; the training rows hold numbers with decimal"
    ):
        encoder(rows.assign(preis=["1,234.5", "9.5"]))


@pytest.mark.parametrize(
    ("column", "options", "first", "says"),
    [
        (["1.234", "2.500"], {}, 1.234, '1.234 is read as 1.234; where that is wrong: decimal: ","'),
        (["1.234", "2.500"], {"decimal": ","}, 1234, "a: numbers with points between thousands"),
        (["1.234", "2.500"], {"decimal": "."}, 1.234, ""),
        (['"1,234"', '"2,500"'], {}, 1234, '1,234 is read as 1234; where that is wrong: decimal: ","'),
        (['"1,234"', '"2,500"'], {"decimal": ","}, 1.234, ""),
        (["1.234", "2.50"], {}, 1.234, ""),
    ],
)
def test_what_can_be_read_in_two_ways_is_said(
    column: list[str], options: dict[str, str], first: float, says: str, tmp_path: Path
) -> None:
    rows = [f"{column[i % 2]};{'xy'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a;b", *rows]))
    task = made("table", tmp_path / "t.csv", label="b", **options)
    assert task.splits.train.x[task.splits.train.y == 0, 0] == pytest.approx(first)
    assert says in "\n".join(task.notes)
    assert ("is read as" in "\n".join(task.notes)) == ("is read as" in says)


def test_other_columns_say_which_decimal_sign_a_table_has(tmp_path: Path) -> None:
    rows = [f"1.{i:03d};{i},5;{'xy'[i % 2]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a;b;c", *rows]))
    task = made("table", tmp_path / "t.csv", label="c")
    assert task.splits.train.x[:, 0].min() >= 1000
    assert 'a: 1.000 is read as 1000; where that is wrong: decimal: "."' in task.notes


def test_texts_that_a_frame_has_for_numbers_stay_categories() -> None:
    frame = pd.DataFrame({"code": [str(i % 4) for i in range(40)], "y": ["a", "b"] * 20})
    assert "1 column of categories: code (4 values)" in table_of(frame, label="y").notes


def test_a_series_in_german_is_the_series(tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=80, freq="h")
    plain = pd.DataFrame({"zeit": hours, "last": PRICES[np.arange(80) % 60]})
    plain.to_csv(tmp_path / "plain.csv", index=False)
    own = plain.assign(zeit=hours.strftime("%d.%m.%Y %H:%M"), last=plain["last"].map(german))
    own.to_csv(tmp_path / "own.csv", index=False, sep=";", encoding="cp1252")
    options = {"targets": ["last"], "time": "zeit", "context": 8, "horizon": 2}
    tasks = [made("series", tmp_path / f"{name}.csv", **options) for name in ("plain", "own")]
    for one, other in zip(*(task.splits.parts.values() for task in tasks), strict=True):
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.y, other.y)
    assert "last: numbers with decimal comma, points between thousands" in tasks[1].notes


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252", "mac-roman"])
def test_a_table_in_another_encoding_is_the_table(encoding: str, tmp_path: Path) -> None:
    """Of the last one the first bytes say nothing, so that the config has to."""
    said = {"encoding": encoding} if encoding == "mac-roman" else {}
    own = made("table", shop(tmp_path, f"{encoding}.csv", encoding), label="größe", **said)
    plain = made("table", shop(tmp_path), label="größe")
    assert own.classes == plain.classes == ("groß", "klein")
    assert np.array_equal(own.splits.train.x, plain.splits.train.x, equal_nan=True)
    note = f"{encoding}.csv is not UTF-8; it is read as Windows-1252, as in 'größe'; else: task.encoding"
    assert (note in own.notes) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a,b\nKöln,1\n".encode() + "Köln,2\n".encode("latin-1"), {}, "UTF-8 in some places and not in others, as in"),
        (b"a,b\nK\x81ln,1\n", {}, "is neither UTF-8 nor Windows-1252; say what it is: task.encoding"),
        (b"a,b\nK\xf6ln,1\nK\x81ln,2\n", {}, r"t\.csv is neither UTF-8 nor Windows-1252; say what it is"),
        (b"\xff\xfea\x00,\x00b\x00\n\x00\x00\xd8x", {}, r"t\.csv begins as utf-16 and is none; say what it is"),
        (b"a,b\nx,1\n", {"encoding": "klingon"}, "task.encoding: there is no encoding 'klingon'; give utf-8, cp1252"),
        (b"a,b\nK\xf6ln,1\n", {"encoding": "utf-8"}, r"t\.csv is not utf-8; leave it out, or give"),
        (b"a,b\nK\x81ln,1\n", {"encoding": "cp1252"}, r"t\.csv is not cp1252; leave it out, or give"),
    ],
)
def test_an_encoding_that_cannot_be_is_one_line(
    text: bytes, options: dict[str, str], says: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_bytes(text)
    for kind, own in (("table", {"label": "b"}), ("text_table", {"text": "a", "label": "b"})):
        with pytest.raises(UserError, match=says) as error:
            made(kind, tmp_path / "t.csv", **own, **options)
        assert "\n" not in str(error.value)
