"""A label that is no class, and a metric that a config does not list: the line says what would be right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evonas.components import assemble
from evonas.config import Config, PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.start_notes import start_notes
from evonas.store import open_folder
from evonas.tasks import TASKS, Task

WORDS = ["sea", "wind", "mast", "salt"]


def made(kind: str, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": kind, **options}), "task")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    rows = [f"{i},{np.sin(i):.3f},{WORDS[i % 4]} a day,{'ab'[i % 2]},{i % 97},{i // 6}" for i in range(240)]
    (folder / "t.csv").write_text("\n".join(["nr,wave,said,mood,share,part", *rows]))
    (folder / "t.txt").write_text("the cat sat on the mat and the dog ate the log. " * 40)
    np.savez(folder / "t.npz", x_train=np.zeros((240, 3)), y_train=np.arange(240))
    return folder


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (
            "table",
            {"label": "share"},
            r"task\.label: share has 97 classes in 240 examples: too .*: target: values; else",
        ),
        (
            "table",
            {"label": "nr"},
            r"task\.label: nr has 240 classes in 240 examples, 240 of which are there once: too",
        ),
        (
            "text_table",
            {"text": "said", "label": "nr"},
            r"task\.label: nr has 240 classes .*; name a column with fewer",
        ),
        ("npz", {}, r"task: y has 240 classes in 240 examples, 240 of which are there once: too few of each"),
    ],
)
def test_a_label_that_is_no_class_is_named(kind: str, options: dict[str, Any], says: str, folder: Path) -> None:
    path = folder / ("t.npz" if kind == "npz" else "t.csv")
    with pytest.raises(UserError, match=says) as error:
        made(kind, path=str(path), **options)
    assert "\n" not in str(error.value)


def test_classes_that_are_there_once_beside_large_ones_are_said(tmp_path: Path) -> None:
    rows = [f"{i},{i if i % 4 == 0 else 'much'}" for i in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *rows]))
    notes = made("table", path=str(tmp_path / "t.csv"), label="b").notes
    assert (
        "20 of 21 classes of b are there once in training; where these are numbers to predict: target: values" in notes
    )


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("series", {"targets": ["b"], "time": "when"}, r"task\.time: when must hold dates as .*; row 51 has 'gestern'"),
        ("recommendation", {"user": "a", "item": "b", "time": "when"}, r"task\.time: .*; row 51 has 'gestern'"),
        ("table", {"label": "b", "target": "values", "split": {"time": "when"}}, "holds no times: .*; 'gestern' is"),
    ],
)
def test_the_time_that_is_none_is_named(kind: str, options: dict[str, Any], says: str, tmp_path: Path) -> None:
    rows = [f"{i % 5},{i},{'gestern' if i == 50 else f'2024-01-{i % 28 + 1:02} 08:00:00'}" for i in range(80)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,when", *rows]))
    with pytest.raises(UserError, match=says):
        made(kind, path=str(tmp_path / "t.csv"), **options)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("table", {"label": "mood", "ignore": ["mood"]}, r"task\.ignore: mood is the label"),
        ("table", {"label": "mood", "categories": ["mood"]}, r"task\.categories: mood is the label"),
        ("table", {"label": "mood", "ignore": ["nr"], "categories": ["nr"]}, "nr is named in task.ignore already"),
        ("text_table", {"text": "mood", "label": "mood"}, r"task\.label: mood is the column of texts already"),
        ("recommendation", {"user": "part", "item": "part"}, "user, item and time are columns of their own, not part"),
        (
            "recommendation",
            {"user": "part", "item": "mood", "time": "mood"},
            "are columns of their own, not part, mood",
        ),
    ],
)
def test_a_column_is_one_thing(kind: str, options: dict[str, Any], says: str, folder: Path) -> None:
    with pytest.raises(UserError, match=says):
        made(kind, path=str(folder / "t.csv"), **options)


def test_examples_that_are_in_several_parts_are_said(folder: Path, tmp_path: Path) -> None:
    head, *rows = (folder / "t.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text("\n".join([head, *rows[:60] * 3]))
    table = {"label": "mood", "test_fraction": 0.2, "valid_fraction": 0.2, "ignore": ["said"]}
    texts = {"text": "wave", "label": "mood"} | {key: table[key] for key in ("test_fraction", "valid_fraction")}
    for kind, options, part in (("table", table, "mood"), ("text_table", {**texts, "text": "said"}, "mood")):
        notes = made(kind, path=str(tmp_path / "t.csv"), **options).notes
        assert any("of 36 examples of valid and " in note and "are in train, too" in note for note in notes), part
    assert not any("in train, too" in note for note in made("table", path=str(folder / "t.csv"), label="mood").notes)


@pytest.mark.parametrize(
    ("kind", "options", "metric", "says"),
    [
        ("table", {"label": "mood", "ignore": ["nr"]}, "f1", "[error, f1]"),
        ("table", {"label": "wave", "target": "values"}, "rmse", "[mse, rmse]"),
        ("text_table", {"text": "said", "label": "mood"}, "auc", "[error, auc]"),
        ("series", {"targets": ["wave"]}, "mase", "[mae, mase]"),
        (
            "series",
            {"targets": ["wave"], "target": "classes", "label": "mood", "context": 8, "stride": 3},
            "f1",
            "[error, f1]",
        ),
        ("recommendation", {"user": "part", "item": "share"}, "recall@7", "[ndcg@10, recall@10, recall@7]"),
        ("characters", {}, "bits_per_byte", "[error, bits_per_character, bits_per_byte]"),
    ],
)
def test_a_metric_that_is_not_listed_is_one_to_list(
    kind: str, options: dict[str, Any], metric: str, says: str, folder: Path
) -> None:
    task = made(kind, path=str(folder / ("t.txt" if kind == "characters" else "t.csv")), **options)
    aims = [{"metric": next(iter(task.metrics))}, {"metric": "params"}]
    given = {"space": {"kind": "mlp"}, "task": {"kind": kind}, "objectives": aims, "budget": {"evaluations": 2}}
    for where, changed in (
        ("objectives.0.metric", {"objectives": [{"metric": metric}, {"metric": "params"}]}),
        ("limits.0.metric", {"limits": [{"metric": metric, "at_most": 1.0}]}),
        ("record.0", {"record": [metric]}),
    ):
        with pytest.raises(UserError) as error:
            assemble(Config.model_validate({**given, **changed}), task=task)
        assert str(error.value) == f"{where}: {metric} is not listed by the task; add it to task.metrics: {says}"


@pytest.mark.parametrize(("threads", "kind", "said"), [(1, "serial", 0), (10**6, "serial", 1), (10**6, "ray", 1)])
def test_threads_of_a_training_without_cores_are_said(threads: int, kind: str, said: int, tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "space": {"kind": "mlp"},
            "task": {"kind": "digits"},
            "objectives": [{"metric": "error"}],
            "budget": {"evaluations": 1},
            "training": {"threads": threads},
            "runtime": {"kind": kind},
        }
    )
    notes = start_notes(config, assemble(config), open_folder(tmp_path))
    assert sum(note.startswith("training.threads: 1000000 are more than the ") for note in notes) == said
