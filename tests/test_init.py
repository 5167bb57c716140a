"""Data of several kinds get a config that runs with them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from scipy.io import wavfile

import evonas
from evonas.cli import main
from evonas.commands.init import guessed
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.tasks import TASKS, Task
from evonas.testing import check_task

RNG = np.random.default_rng(0)
LABELS = np.arange(80) % 2


def pictures(folder: Path) -> Path:
    for name in ("cat", "dog"):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(RNG.integers(0, 256, (12, 16), np.uint8)).save(folder / "data" / name / f"{i}.png")
    return folder / "data"


def npz(folder: Path) -> Path:
    np.savez(folder / "data.npz", x_train=RNG.normal(size=(80, 3, 8, 8)), y_train=LABELS)
    return folder / "data.npz"


def npy(folder: Path) -> Path:
    (folder / "data").mkdir()
    np.save(folder / "data" / "x_train.npy", RNG.normal(size=(80, 5)))
    np.save(folder / "data" / "y_train.npy", RNG.normal(size=80))
    return folder / "data"


def csv(folder: Path) -> Path:
    cities = ["Berlin", "Rome", ""]
    rows = [
        f"{i};{'' if i % 9 == 0 else 20 + i % 50};{cities[i % 3]};{'yes' if i % 10 == 0 else 'no'}" for i in range(200)
    ]
    (folder / "data.csv").write_text("\n".join(["id;age;city;target", *rows]))
    return folder / "data.csv"


def parquet(folder: Path) -> Path:
    given = {"a": RNG.normal(size=80), "b": LABELS.astype(bool), "when": pa.array([0] * 80, pa.timestamp("s"))}
    pq.write_table(pa.table({**given, "price": RNG.normal(size=80)}), folder / "data.parquet")
    return folder / "data.parquet"


def wav(folder: Path) -> Path:
    for name, hertz in (("low", 300), ("high", 1500)):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(20):
            samples = np.sin(2 * np.pi * hertz * (1 + i / 100) * np.arange(2000) / 4000) * 20_000
            wavfile.write(folder / "data" / name / f"{i}.wav", 4000, samples.astype(np.int16))
    return folder / "data"


def txt(folder: Path) -> Path:
    (folder / "data.txt").write_text("the cat sat on the mat and the dog ate the log. " * 40)
    return folder / "data.txt"


def texts(folder: Path) -> Path:
    for name, words in (("cooking", ["salt", "butter"]), ("sailing", ["wind", "mast"])):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(20):
            (folder / "data" / name / f"{i}.txt").write_text(" ".join(words[(i + place) % 2] for place in range(5)))
    return folder / "data"


def masks(folder: Path) -> Path:
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for i in range(40):
        mask = np.zeros((8, 12), np.uint8)
        mask[i % 5 : i % 5 + 3] = 1
        Image.fromarray(mask).save(folder / "data" / "masks" / f"{i}.png")
        Image.fromarray(mask * 90 + 60).save(folder / "data" / "images" / f"{i}.png")
    return folder / "data"


def recordings(folder: Path) -> Path:
    label, size = np.arange(40) % 2, 500 + np.arange(40)
    noise = [RNG.normal(0, 1000 * (1 + of), n) for of, n in zip(label, size, strict=True)]
    offset = np.append(0, size.cumsum())
    np.savez(folder / "data.npz", pcm16=np.concatenate(noise).astype(np.int16), offset=offset, label=label, rate=1000)
    return folder / "data.npz"


def series(folder: Path) -> Path:
    """Hours as Germans write them, with a yes and no, a number of rows, and a remark."""
    rows = []
    for i in range(240):
        load = f"{50 + i % 24 + RNG.normal():.2f}".replace(".", ",")
        rows.append(f"{i};{1 + i // 24:02}.03.2024 {i % 24:02}:00;{load};{int(i % 7 == 0)};x")
    (folder / "data.csv").write_text("\n".join(["nr;hour;load;holiday;remark", *rows]))
    return folder / "data.csv"


def reviews(folder: Path) -> Path:
    words = (["salt", "butter", "pan"], ["wind", "mast", "sea"])
    rows = [f"{i},{' '.join(words[i % 2])} {i},{'ab'[i % 2]}" for i in range(80)]
    (folder / "data.csv").write_text("\n".join(["nr,review,kind", *rows]))
    return folder / "data.csv"


def purchases(folder: Path) -> Path:
    rows = [f"u{i % 12},{(i % 12 + 3 * (i // 12)) % 9},{i},2.5" for i in range(84)]
    (folder / "data.csv").write_text("\n".join(["user_id,ProductID,timestamp,price", *rows]))
    return folder / "data.csv"


HOURS = {"time": "hour", "targets": ["load"], "covariates": ["holiday"], "context": 48, "horizon": 24, "season": 24}
PAIRS = {"user": "user_id", "item": "ProductID", "time": "timestamp"}
FOUND: list[tuple[Any, dict[str, Any], str]] = [
    (pictures, {"kind": "image_folder", "size": [12, 16], "channels": 1}, "2 classes (cat: 20, dog: 20)"),
    (wav, {"kind": "audio_folder", "seconds": 0.5}, "each 2000 of int16; 2 classes (high: 20, low: 20)"),
    (masks, {"kind": "segmentation", "size": [8, 12], "channels": 1}, "each 1 x 8 x 12 of uint8"),
    (recordings, {"kind": "audio"}, "each 1000 of int16"),
    (txt, {"kind": "characters"}, "each 64 of uint8"),
    (texts, {"kind": "text_folder", "characters": 30}, "2 classes (cooking: 20, sailing: 20)"),
    (npz, {"kind": "npz"}, "3 x 8 x 8 of float64"),
    (npy, {"kind": "npy", "target": "values"}, "each 5 of float64"),
    (csv, {"kind": "table", "label": "target", "ignore": ["id"]}, "2 classes (no: 180, yes: 20)"),
    (series, {"kind": "series", **HOURS}, "to predict a column from the others of its row: task: {kind: table, path: "),
    (reviews, {"kind": "text_table", "text": "review", "label": "kind", "characters": 18}, "not looked at: nr"),
    (purchases, {"kind": "recommendation", **PAIRS}, "columns that are not looked at: price"),
    (parquet, {"kind": "table", "label": "price", "target": "values"}, "left out: when (the same in all rows)"),
]


@pytest.mark.parametrize(("make", "section", "says"), FOUND, ids=lambda each: getattr(each, "__name__", ""))
def test_a_config_that_runs(
    make: Any,
    section: dict[str, Any],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path).relative_to(tmp_path)
    assert main(["init", str(path)]) == 0
    said = capsys.readouterr().out
    assert says in said
    assert said.endswith("wrote config.yaml; to search: evonas search config.yaml\n")
    written = yaml.safe_load(Path("config.yaml").read_text())
    assert written["task"] == {"path": str(path), **section}
    changes = ["training={epochs: 1, batch_size: 16}", "budget.evaluations=2", "strategy.population=2"]
    words = [word for change in [*changes, "runtime={kind: serial}"] for word in ("--set", change)]
    assert main(["search", "config.yaml", "--run", "run", *words]) == 0
    assert set(evonas.load("run").evaluations["status"]) == {"ok"}
    before = Path("config.yaml").read_text()
    assert main(["init", str(path)]) == 2
    assert "--out config.yaml: it exists" in capsys.readouterr().err
    assert Path("config.yaml").read_text() == before


def test_the_digits_need_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless there is a folder of that name."""
    monkeypatch.chdir(tmp_path)
    assert guessed("digits") == ({"kind": "digits"}, ())
    Path("digits").mkdir()
    np.save("digits/x_train.npy", RNG.normal(size=(80, 5)))
    assert guessed("digits") == ({"kind": "npy", "path": "digits"}, ())


VALUES = "values are predicted"
CLASSES = f"{VALUES}; task.target: classes predicts classes, with metric: error in the place of mse"


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (LABELS, None),
        (LABELS / 1.0, f"y_train is float: {CLASSES}"),
        (LABELS / 2, f"y_train is float: {VALUES}"),
        (np.arange(80), f"y_train has 80 different whole numbers: {CLASSES}"),
        (np.zeros((80, 2)), f"y_train has 2 axes: {VALUES}"),
    ],
)
def test_what_is_predicted_of_arrays_is_said(tmp_path: Path, y: Any, says: str | None) -> None:
    np.savez(tmp_path / "data.npz", x_train=np.zeros((80, 2)), y_train=y)
    section, decisions = guessed(str(tmp_path / "data.npz"))
    assert section.get("target") == ("values" if says else None)
    assert decisions == ((says,) if says else ())
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "x_train.npy", np.zeros((80, 2)))
    np.save(tmp_path / "data" / "y_train.npy", y)
    assert guessed(str(tmp_path / "data")).decisions == decisions


@pytest.mark.parametrize(
    ("head", "row", "says"),
    [
        ("buys,age,city", "yes,{i},{c}", ["label: city (the last column); another one: task.label"]),
        (
            "label,id,age",
            "{c},{i},{i}",
            ["label: label (by its name); another one: task.label", "ignored: id (as many"],
        ),
        ("age,price", "{i},{i}.5", ["label: price (the last", f"price is float: {VALUES}"]),
        ("age,price", "{i},{i}.0", ["label: price (the last", f"price is float: {CLASSES}"]),
        ("age,n", "{i},{i}", ["label: n (the last", f"n has 80 different whole numbers: {CLASSES}"]),
    ],
)
def test_what_is_decided_of_a_table_is_said_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str, row: str, says: list[str]
) -> None:
    """And a name with a space is quoted in the line to go on with."""
    rows = (row.format(i=i, c="ab"[i % 2]) for i in range(80))
    (tmp_path / "t.csv").write_text("\n".join([head, *rows]))
    out = tmp_path / "my config.yaml"
    assert main(["init", str(tmp_path / "t.csv"), "--out", str(out)]) == 0
    said, written = capsys.readouterr().out.splitlines(), out.read_text().splitlines()
    assert len(guessed(str(tmp_path / "t.csv")).decisions) == len(says)
    for line in says:
        found = next(each for each in said if each.startswith(line))
        assert f"# {found}" in written
    assert said[-1] == f"wrote {out}; to search: evonas search '{out}'"
    assert written[0].endswith(f"evonas search '{out}'")


def test_what_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.rtf").write_text("x")
    (tmp_path / "short.txt").write_text("x")
    (tmp_path / "data.npz").write_text("no arrays")
    for name, says in (
        ("nowhere", "no file or folder"),
        ("notes.rtf", "a task of your own"),
        ("short.txt", "give a longer text or a smaller context"),
        ("data.npz", "data.npz is not an npz file"),
    ):
        assert main(["init", str(tmp_path / name), "--out", str(tmp_path / "c.yaml")]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
    assert not (tmp_path / "c.yaml").exists()


# -- task kind table --


def table(path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": "table", "path": str(path), **options}), "task")


def test_splits_in_files_and_rows_without_a_label(tmp_path: Path) -> None:
    rows = [f"{i},{'x' if i % 2 else 'y'}" for i in range(40)]
    (tmp_path / "train.csv").write_text("\n".join(["a,b", *rows, "7,"]))
    (tmp_path / "val.csv").write_text("\n".join(["a,b", *rows[:10]]))
    (tmp_path / "test.csv").write_text("\n".join(["a", *map(str, range(5))]))
    task = table(tmp_path, label="b")
    assert [len(split) for split in task.splits.parts.values()] == [36, 10, 4]
    assert "left out are 1 of 41 rows of train, without b" in task.notes
    assert "the test split is left out: it has no b" in task.notes


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a,b\n1,2\n3,4", {"label": "c"}, r"task\.label: unknown 'c'"),
        ("a,b\n1,x\n3,y", {"label": "b", "target": "values"}, "the column b must hold numbers, not string"),
        ("a,b\n1,2\n3", {"label": "b"}, "cannot be read"),
        ("b\n1\n2", {"label": "b"}, "beside b no column of numbers, texts or dates is left"),
        ("", {"label": "b"}, "cannot be read"),
        ("a,a,b\n1,2,3", {"label": "b"}, "has two columns that are called a; rename one"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, text: str, options: dict[str, Any], says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=says) as error:
        table(tmp_path / "t.csv", **options)
    assert "\n" not in str(error.value)


# -- task kind audio_folder --


def sound(path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": "audio_folder", "path": str(path), **options}), "task")


def test_a_tone_is_loudest_in_its_band(tmp_path: Path) -> None:
    task = sound(wav(tmp_path), seconds=0.4, bands=8)
    check_task(task)
    assert "40 of 40 recordings are cut to 0.4 s" in task.notes
    prepared = task.prepare(torch.from_numpy(task.splits.train.x))
    assert prepared.shape[1:] == task.spec.input_shape == (1, 8, 38)
    assert prepared.mean() == pytest.approx(0, abs=1e-3)
    loudest = {label: prepared[task.splits.train.y == label].mean((0, 1, 3)).argmax() for label in (0, 1)}
    assert loudest[0] > loudest[1], "high is class 0"


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.int16])
def test_samples_of_any_kind_are_as_loud(tmp_path: Path, dtype: Any) -> None:
    wave = np.sin(np.arange(1600) / 5) / 2
    whole = {np.uint8: 128 + wave * 128, np.int32: wave * 2**31, np.float32: wave, np.int16: wave * 2**15}[dtype]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(10):
            wavfile.write(tmp_path / name / f"{i}.wav", 8000, np.stack([whole, whole], 1).astype(dtype))
    task = sound(tmp_path, seconds=0.2)
    assert task.splits.train.x[0] == pytest.approx(wave * 2**15, abs=300)
    assert "20 recordings of several channels are mixed to one" in task.notes


def test_recordings_that_cannot_be_read_are_in_one_message(tmp_path: Path) -> None:
    folder = wav(tmp_path)
    (folder / "low" / "x.wav").write_bytes(b"no sound")
    wavfile.write(folder / "low" / "y.wav", 8000, np.zeros(100, np.int16))
    wavfile.write(folder / "low" / "z.wav", 8000, np.array([0, np.nan, 0], np.float32))
    with pytest.raises(UserError, match=r"cannot read 2 recordings: .*x\.wav: .*; .*z\.wav: .* no numbers") as error:
        sound(folder)
    assert "\n" not in str(error.value)
    assert "y.wav" not in str(error.value), "another rate is no fault"
