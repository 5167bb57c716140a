"""Task kind `table`: what becomes of columns, of gaps, of dates and of what training has not seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn import metrics as known

import evonas
from evonas.cli import main
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.spaces.units import built
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.prepare import prepare_of
from evonas.tasks.losses import WeightedCrossEntropy
from evonas.tasks.metrics import CLASSIFICATION_METRICS
from evonas.tasks.table import Encoder
from evonas.tasks.table.prepare import TableColumns
from evonas.testing import check_task

RNG = np.random.default_rng(0)


def stays(rows: int = 240) -> pd.DataFrame:
    """A table as people have them: gaps, texts, dates of two kinds, true and false, an outlier, a rare class."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "patient": np.arange(rows) // 4,
            "age": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(18, 90, rows)),
            "pay": np.exp(rng.normal(size=rows)),
            "city": rng.choice(["Rome", "Oslo", "Lima", None], rows),
            "member": rng.random(rows) < 0.5,
            "came": pd.date_range("2021-01-01", periods=rows, freq="D").strftime("%d.%m.%Y"),
            "seen": pd.date_range("2021-01-01 08:00", periods=rows, freq="7h"),
            "unit": "ward 3",
            "note": [f"text {i}" for i in range(rows)],
        }
    )
    frame.loc[3, "pay"] = 1e6
    frame["stays"] = np.where((frame["city"] == "Rome") & (frame["age"].fillna(0) > 40), "yes", "no")
    return frame


def read(path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": "table", "path": str(path), **options}), "task")


@pytest.fixture(scope="module")
def task() -> Task:
    return evonas.table_of(stays(), label="stays", split={"by": "patient"}, valid_fraction=0.2, test_fraction=0.2)


def test_what_is_made_of_each_column_is_said(task: Task) -> None:
    check_task(task)
    said = "\n".join(task.notes)
    for line in (
        "split by patient: 60 groups, each of which is in one part",
        "columns that are left out: unit (the same in all rows), note (144 different texts in 144 rows)",
        "dates, taken as days, month, weekday and hour as far as they differ: came (%d.%m.%Y), seen",
        "gaps are filled with the median, and marked by a feature each, in age",
        "gaps are a category of their own in city",
        "5 numbers: age, pay, member, came: days, seen: days",
        "6 columns of categories: city (3 values), came: month (8 values), came: weekday (7 values), seen: month",
        "one class has 8",
    ):
        assert line in said
    assert task.classes == ("no", "yes")


def test_numbers_are_scaled_robustly_and_gaps_marked(task: Task) -> None:
    stored = task.splits.train.x["numbers"]
    assert stored.dtype == np.float32
    found = task.prepare(mapped(task.splits.train.x))["numbers"]
    age, low, middle, high = stored[:, 0], *np.nanquantile(stored[:, 0], [0.25, 0.5, 0.75])
    distance = (np.nan_to_num(age, nan=middle) - middle) / (high - low)
    assert found[:, 0].numpy() == pytest.approx(distance / np.sqrt(1 + (distance / 3) ** 2), abs=1e-5)
    assert found.shape[1] == 6
    assert torch.equal(found[:, 5], torch.from_numpy(np.isnan(age)).float())
    assert found.abs().max() <= 3, "an outlier of a million"


def mapped(x: Any) -> Any:
    return {name: torch.from_numpy(np.asarray(part)) for name, part in x.items()}


def test_what_training_has_not_seen_is_any_other(task: Task) -> None:
    record = data_record(task).table
    assert record is not None
    encoder = Encoder(record)
    rows = stays().iloc[:4].assign(city=["Rome", "Atlantis", None, "Lima"])
    assert encoder(rows)["categories"][:, 0].tolist() == [3, 0, 4, 1]
    assert encoder(rows.assign(came=["1.1.2021", "29.02.2024", "never", None]))["categories"][:, 2].tolist() == [
        5,  # a Friday
        4,
        0,
        0,
    ]
    prepared = task.prepare(mapped(encoder(rows)))["categories"]
    assert int(prepared.max()) < task.spec.input["categories"].high
    assert prepared[:, 1].tolist() == [5 + 1] * 4, "months begin where cities end: 3 values, a gap and any other"
    beyond = {**mapped(encoder(rows)), "categories": torch.full((4, 6), 99, dtype=torch.uint8)}
    assert torch.equal(task.prepare(beyond)["categories"][0], task.prepare.starts)


def test_only_training_rows_decide() -> None:
    frame = pd.DataFrame({"a": np.arange(100.0), "t": np.arange(100), "c": ["x"] * 40 + ["y"] * 40 + ["new"] * 20})
    task = evonas.table_of(frame, label="a", target="values", split={"time": "t"}, ignore=["t"])
    record = data_record(task).table
    assert record is not None
    assert record.categories[0].values == ("x", "y")
    assert "test has rows with values that training has not, or seldom: c (10)" in task.notes
    assert task.splits.test.y.min() > task.splits.valid.y.max() > task.splits.train.y.max()


def test_values_are_learned_in_deviations_and_given_as_they_are() -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=200)})
    frame["price"] = 250_000 + 80_000 * frame["a"]
    task = evonas.table_of(frame, label="price", target="values", metrics=["rmse", "r2"])
    check_task(task)
    y = torch.from_numpy(task.splits.train.y)
    assert task.spec.units[0] == pytest.approx((y.mean().item(), y.std(correction=0).item()), rel=1e-4)
    assert task.loss(y + task.spec.units[0][1], y, 0.0).item() == pytest.approx(1, rel=1e-4)
    space = evonas.spaces.MLP(layers=(1, 1), widths=8)
    network = built(space, space.sample(np.random.default_rng(0)), task.spec).eval()
    given = network(task.prepare(torch.from_numpy(task.splits.train.x)))
    assert abs(given.mean() - y.mean()) < 80_000, "before it has learned anything"
    with pytest.raises(ValueError, match="a mean and a deviation for each output"):
        evonas.TaskSpec("t", evonas.InputSpec((1,)), (2,), units=((0.0, 1.0),))


def test_groups_are_in_one_part_and_a_run_knows_what_prepares(task: Task) -> None:
    assert [len(split) for split in task.splits.parts.values()] == [144, 48, 48]
    again = prepare_of(data_record(task))
    x = mapped(task.splits.valid.x)
    assert again is not None
    assert all(torch.equal(part, again(x)[name]) for name, part in task.prepare(x).items())


def test_numbers_that_float32_moves_are_float64() -> None:
    frame = pd.DataFrame({"stamp": 1.7e9 + np.arange(50) / 10, "y": np.arange(50) % 2})
    task = evonas.table_of(frame, label="y", valid_fraction=0.2, test_fraction=0.2)
    assert task.splits.train.x.dtype == np.float64
    found = task.prepare(torch.from_numpy(task.splits.train.x))
    assert found.dtype == torch.float32
    assert len(np.unique(found.numpy())) == len(task.splits.train)
    again = prepare_of(data_record(task))
    assert again is not None
    assert torch.equal(again(torch.from_numpy(task.splits.train.x)), found)


def test_numbers_that_are_names() -> None:
    frame = pd.DataFrame({"code": [80331, 80333] * 30, "kind": pd.Categorical(["a", "b", "c"] * 20), "y": [0, 1] * 30})
    task = evonas.table_of(frame, label="y", categories=["code"])
    assert "2 columns of categories: code (2 values), kind (3 values)" in task.notes
    assert list(task.splits.train.x) == ["categories"]


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("age,y\n1,a\n2,a\n", {"label": "y"}, r"task\.label: y is a in all rows of train; there is nothing to learn"),
        ("age,y\n1,2\n2,2\n", {"label": "y", "target": "values"}, r"task\.label: y is 2 in all rows of train"),
        ("age,y\n", {"label": "y"}, "has no rows below its names of columns"),
        ("age,y\n1,a\n2,b\n", {"label": "y", "split": {"by": "agee"}}, r"task\.split\.by: .*did you mean 'age'"),
        ("age,y\n1,a\n2,b\n", {"label": "y", "split": {"by": "y"}}, r"task\.split\.by: y is the label"),
        ("age,y\n1,a\n2,b\n", {"label": "y", "split": {}}, "task: split: takes either by or time"),
        ("age,p,y\n1,,a\n2,3,b\n", {"label": "y", "split": {"by": "p"}}, "1 rows of train have no p; fill or remove"),
        ("age,t,y\n1,x,a\n2,y,b\n", {"label": "y", "split": {"time": "t"}}, "t holds no times: write dates as"),
        ("age,y\n" + "1,a\n2,b\n" * 20, {"label": "y", "class_weights": [1]}, "a number above 0 for each of the 2 cl"),
        ("age,y\n1,2\n2,3\n", {"label": "y", "target": "values", "class_weights": [1]}, "values have no classes"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, text: str, options: dict[str, Any], says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=says) as error:
        read(tmp_path / "t.csv", **options)
    assert "\n" not in str(error.value)


class Lazy:
    """What is a frame later."""

    def collect(self) -> None: ...


class Views:
    """A frame as Polars': its texts are views, for which Arrow lacks functions.

    Args:
        frame: the same of pandas.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.table = pa.Table.from_pandas(frame, preserve_index=False)
        for place, column in enumerate(self.table.columns):
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                views = column.cast(pa.string_view())
                if self.table.column_names[place] == "city":  # as its categories
                    coded = column.combine_chunks().dictionary_encode()
                    views = pa.DictionaryArray.from_arrays(coded.indices, coded.dictionary.cast(pa.string_view()))
                self.table = self.table.set_column(place, self.table.column_names[place], views)
        self.columns = self.table.column_names

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def test_a_frame_of_others_is_as_one_of_pandas(task: Task, tmp_path: Path) -> None:
    views = Views(stays())
    kinds = {str(each) for each in views.table.schema.types}
    assert {"string_view", "dictionary<values=string_view, indices=int32, ordered=0>"} < kinds
    options: dict[str, Any] = {"label": "stays", "split": {"by": "patient"}}
    options |= {"valid_fraction": 0.2, "test_fraction": 0.2}
    expected = data_record(task)
    assert data_record(evonas.table_of(views, **options)).splits == expected.splits
    assert expected.table
    found, own = (mapped(Encoder(expected.table)(rows)) for rows in (views, stays()))
    assert all(torch.equal(found[name].nan_to_num(), own[name].nan_to_num()) for name in own)
    city = pa.chunked_array([pa.array(stays()["city"], pa.string_view())])  # a file cannot hold views of categories
    place = views.columns.index("city")
    pq.write_table(views.table.set_column(place, "city", city), tmp_path / "views.parquet")
    of_file = read(tmp_path / "views.parquet", **options)
    assert data_record(of_file).splits == expected.splits


def test_what_is_no_frame_is_one_line() -> None:
    for frame, says in (
        (np.zeros((3, 2)), "table_of: train: takes a frame of pandas or Polars, or a table of Arrow, not a ndarray"),
        (Lazy(), "not a Lazy; collect\\(\\) makes a frame of it"),
        (pa.table({"a": [1, 2], "y": [0, 1]})[:0], "table_of: train: the frame has no rows"),
        (pd.DataFrame({"a": [], "y": []}), "table_of: train: the frame has no rows"),
        (pd.DataFrame({"a": [1, "x"], "y": [0, 1]}), "give each column values of one kind"),
        (pd.DataFrame([[1, 2, 0]], columns=["a", "a", "y"]), "^table_of: train has two columns .* a; rename one"),
    ):
        with pytest.raises(UserError, match=says):
            evonas.table_of(frame, label="y")


def test_what_was_given_in_python_is_named_and_no_config() -> None:
    frame = pd.DataFrame({"a": np.arange(60.0), "key": 2**60 + np.arange(60) % 9, "y": ["no", "yes"] * 30})
    for options, line in (
        ({"label": "z"}, r"^table_of: label: unknown 'z'"),
        ({"label": "y", "ignore": ["y"]}, r"^table_of: ignore: y is the label, which is no feature"),
        ({"label": "y", "split": {"time": "y"}}, r"^table_of: split\.time: y "),
        ({"label": "y", "metrics": ["er"]}, r"^table_of: metrics: unknown 'er'"),
        ({"label": "y", "test": frame.drop(columns="a")}, r"^table_of: test has no column a; it has key, y"),
    ):
        with pytest.raises(UserError, match=line) as error:
            evonas.table_of(frame, **options)
        assert "task." not in str(error.value)
    task = evonas.table_of(frame, label="y")
    assert any("where they are names: categories" in note for note in task.notes)
    assert isinstance(task.prepare, TableColumns)
    with pytest.raises(UserError, match=r"^Encoder: the table has no column a; it has y$"):
        Encoder(task.prepare.record)(frame[["y"]])


@pytest.mark.parametrize("odd", [["gestern"], ["gestern", "k.A.", "-", None]])
def test_the_few_texts_that_are_no_dates_are_missing(odd: list[str | None], tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60).strftime("%d.%m.%Y").tolist()
    days[: len(odd)] = odd  # the first ones, by which a column is judged
    frame = pd.DataFrame({"day": days, "y": ["no", "yes"] * 30})
    task = evonas.table_of(frame, label="y", test=frame[5:], valid=frame[5:])
    assert any(note.startswith("dates, taken as") and "day (%d.%m.%Y)" in note for note in task.notes)
    assert any(note.startswith("day: taken as missing, for it is no date: 'gestern' (1)") for note in task.notes)
    assert isinstance(task.prepare, TableColumns)
    assert int(np.isnan(task.splits.train.x["numbers"]).sum()) == len(odd)
    later = frame.assign(day=pd.to_datetime(frame["day"], format="%d.%m.%Y", errors="coerce"))
    encoder = Encoder(task.prepare.record)
    for name, part in mapped(encoder(frame)).items():
        assert torch.equal(part.nan_to_num(), mapped(encoder(later))[name].nan_to_num()), (
            "dates by their type are dates"
        )


def test_many_texts_that_are_no_dates_are_said_and_none_are() -> None:
    days = pd.date_range("2024-01-01", periods=60).strftime("%d.%m.%Y").tolist()
    days[::5] = ["soon"] * 12
    frame = pd.DataFrame({"day": days, "a": np.arange(60), "y": ["no", "yes"] * 30})
    notes = evonas.table_of(frame, label="y", test=frame, valid=frame).notes
    assert any(
        note.startswith("day: not taken for dates, for 12 of 60 texts are none as %d.%m.%Y, such as 'soon'")
        for note in notes
    )
    assert not any(note.startswith("dates") for note in notes)


HUGE = pd.DataFrame(
    {
        "number": RNG.normal(size=60),
        "key": 2**60 + np.arange(60) % 9,
        "endless": np.where(np.arange(60) % 2, np.inf, -np.inf),
        "large": RNG.normal(size=60) * 1e300,
        "far": np.where(np.arange(60) % 2, 1e308, -1e308),
        "target": RNG.normal(size=60) * 1e30,
        "y": ["no", "yes"] * 30,
    }
)


def test_why_a_column_of_other_values_is_left_out() -> None:
    task = evonas.table_of(HUGE, label="y", ignore=["far"])
    assert any("endless (no number is finite)" in note for note in task.notes)
    assert any("key (its values, such as 1152921504606846976, are one number" in note for note in task.notes)
    assert "3 numbers: number, large, target" in task.notes


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"label": "y"}, r"^table_of: the column far holds numbers from -1e\+308 to 1e\+308, .* name it in ignore$"),
        (
            {"label": "target", "target": "values", "ignore": ["far"]},
            r"reach \d.*e\+30, .*: give them in a larger unit",
        ),
        ({"label": "large", "target": "values", "ignore": ["far"]}, r"reach \d.*e\+300, .* in a larger unit"),
        ({"label": "key", "target": "values", "ignore": ["far"]}, "key cannot be predicted: .* are one number in"),
    ],
)
def test_numbers_that_floats_do_not_hold_are_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        evonas.table_of(HUGE, **options)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("error")
def test_a_later_number_is_the_largest_there_is_and_no_gap_however_large() -> None:
    task = evonas.table_of(HUGE, label="y", ignore=["far", "large", "target"])
    assert isinstance(task.prepare, TableColumns)
    assert not task.prepare.wide
    later = pd.DataFrame({"number": [30.0, 1e20, -1e38, 1e300, -1e300], "key": 1, "endless": 1.0})
    prepared = task.prepare(torch.from_numpy(Encoder(task.prepare.record)(later)))
    assert prepared[1:, 0].tolist() == [3, -3, 3, -3]
    assert 2.9 < prepared[0, 0] < 3


def test_metrics_are_those_of_scikit_learn() -> None:
    logits, y = RNG.normal(size=(300, 3)), RNG.choice(3, 300, p=[0.7, 0.2, 0.1])
    y[y == 2] = 1  # a class that is not there
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = {}
    for name in ("balanced_error", "log_loss", "precision"):
        metric = CLASSIFICATION_METRICS[name](3)
        rows = metric.statistics(torch.from_numpy(logits).float(), torch.from_numpy(y))
        found[name] = float(metric.reduce(rows[:, None] if rows.ndim == 1 else rows))
    guess = logits.argmax(1)
    recalls = known.recall_score(y, guess, average=None, labels=[0, 1])
    assert found["balanced_error"] == pytest.approx(1 - recalls.mean(), abs=1e-6)
    assert found["log_loss"] == pytest.approx(known.log_loss(y, shares, labels=[0, 1, 2]), abs=1e-5)
    assert found["precision"] == pytest.approx(known.precision_score(y, guess, average="macro"), abs=1e-5)
    both = CLASSIFICATION_METRICS["average_precision"](2)
    rows = both.statistics(torch.from_numpy(logits[:, :2]).float(), torch.from_numpy(y))
    two = np.exp(logits[:, :2]) / np.exp(logits[:, :2]).sum(1, keepdims=True)
    expected = np.mean([known.average_precision_score(y == each, two[:, each]) for each in (0, 1)])
    assert float(both.reduce(rows)) == pytest.approx(expected, abs=1e-4)


def test_a_class_without_examples_is_said_and_gives_no_number(recwarn: pytest.WarningsRecorder) -> None:
    logits, y = torch.from_numpy(RNG.normal(size=(300, 3))).float(), torch.from_numpy(RNG.choice(2, 300))
    for name in ("auc", "average_precision"):
        of_each = {"auc": known.roc_auc_score}.get(name, known.average_precision_score)
        metric = CLASSIFICATION_METRICS[name](3)
        expected = np.mean([of_each(y == each, logits.softmax(1)[:, each]) for each in (0, 1)])
        assert float(metric.reduce(metric.statistics(logits, y))) == pytest.approx(expected, abs=1e-4)
        assert metric.reduce(metric.statistics(logits, y * 0)).isnan()
    frame = pd.DataFrame({"a": RNG.normal(size=60), "y": ["rare", *["usual"] * 59]})
    notes = [note for note in evonas.table_of(frame, label="y").notes if "no example" in note]
    assert [note.partition(":")[0] for note in notes] == [
        f"{part} has no example of rare" for part in ("valid", "test")
    ]
    with pytest.raises(UserError, match="auc is of two classes or more, and all 6 validation examples are of one"):
        evonas.table_of(frame, label="y", metrics=("auc",))
    assert not list(recwarn)


def test_the_loss_weighs_classes_and_metrics_do_not() -> None:
    frame = pd.DataFrame({"a": RNG.normal(size=120), "y": ["rare" if i % 6 == 0 else "usual" for i in range(120)]})
    task = evonas.table_of(frame, label="y", class_weights="balanced")
    assert "the loss weighs classes: rare 3, usual 0.6" in task.notes
    assert task.loss == WeightedCrossEntropy((3.0, 0.6))
    output, y = torch.randn(8, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 4)
    plain = torch.nn.functional.cross_entropy(output, y, reduction="none")
    weights = torch.tensor([3.0, 0.6] * 4)
    assert task.loss(output, y, 0.0).item() == pytest.approx(((plain * weights).sum() / weights.sum()).item())
    other = evonas.table_of(frame, label="y")
    assert task.metrics["error"].statistics is other.metrics["error"].statistics


@pytest.mark.parametrize("kind", ["npz", "image_folder"])
def test_other_tasks_take_them_too(kind: str, tmp_path: Path) -> None:
    x, y = RNG.integers(0, 9, (60, 4, 4), dtype=np.uint8), np.arange(60) % 3 // 2
    options: dict[str, Any] = {"kind": kind, "path": str(tmp_path), "class_weights": "balanced"}
    if kind == "npz":
        np.savez(tmp_path / "data.npz", x_train=x, y_train=y)
        options["path"] += "/data.npz"
    else:
        from PIL import Image

        for i, (pixels, label) in enumerate(zip(x, y, strict=True)):
            (tmp_path / f"class {label}").mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / f"class {label}" / f"patient{i // 6}-{i}.png")
        options["split"] = {"by": "patient[0-9]+"}
    task = construct(TASKS, PartConfig.model_validate(options), "task")
    assert task.loss == WeightedCrossEntropy(tuple(len(task.splits.train) / 2 / np.bincount(task.splits.train.y)))
    if kind == "image_folder":
        assert "split by patient[0-9]+: 10 groups, each of which is in one part" in task.notes
        assert {len(split) % 6 for split in task.splits.parts.values()} == {0}


def test_a_run_of_a_frame_says_how_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It knows neither the frame nor the options."""
    config = {
        "space": {"kind": "mlp"},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "params"}],
        "learner": {"kind": "none"},
        "strategy": {"kind": "random"},
        "budget": {"evaluations": 1},
        "runtime": {"kind": "serial"},
    }
    task = evonas.table_of(stays(), label="stays", valid_fraction=0.2)
    run = evonas.search(config, task=task, run=tmp_path / "run", progress=False)
    where = f"the task of {tmp_path}/run was given to it in Python: "
    for words in (["test"], ["train"], ["train", "--set", "task.path=stays.csv"]):
        capsys.readouterr()
        assert main([words[0], str(tmp_path / "run"), "0", *words[1:]]) == 2
        line = capsys.readouterr().err
        assert ("task: label: required; " if words[1:] else "") + where in line
        assert f"evonas.train(evonas.load('{tmp_path}/run', task=TASK))" in line
        assert line.count("\n") == 1
    assert main(["resume", str(tmp_path / "run")]) == 2
    assert where + "go on from where it is made, by evonas.search(CONFIG, " in capsys.readouterr().err

    stays().to_parquet(tmp_path / "stays.parquet")
    given = [f"task.path={tmp_path}/stays.parquet", "task.label=stays"]
    with pytest.raises(UserError, match=r"have changed: train has .*; where its task was given to it in Python, give"):
        run.task(given)
    assert run.task([*given, "task.valid_fraction=0.2"]).spec.outputs == task.spec.outputs
    assert evonas.load(tmp_path / "run", task=task).task() is task
