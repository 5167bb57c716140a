"""The contract of a task, held to every kind; then what is special to each."""

import importlib
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.installing import how_to_install
from evonas.tasks import TASKS, Split, Splits, Task, classification, regression
from evonas.tasks.arrays.building import images_first
from evonas.tasks.class_folders import natural
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.example import stored_example
from evonas.tasks.data_record.prepare import prepare_of
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.labels import labels
from evonas.tasks.splitting import divided
from evonas.tasks.table.prepare import TableColumns
from evonas.tasks.task import Standardise, channel_statistics
from evonas.testing import check_task
from tests.evaluation.small import bars_task


def pictures(n: int = 60, side: int = 6, channels: int = 3) -> tuple[Any, Any]:
    """Pictures that all differ, channels last, and three classes of equal size."""
    x = np.random.default_rng(0).integers(0, 256, (n, side, side, channels)).astype(np.uint8)
    return x, np.arange(n) % 3


def _npz(folder: Path) -> dict[str, Any]:
    x, y = pictures()
    np.savez(folder / "data.npz", x_train=x, y_train=y)
    return {"path": str(folder / "data.npz")}


def _npy(folder: Path) -> dict[str, Any]:
    x, y = pictures()
    np.save(folder / "x_train.npy", x)
    np.save(folder / "y_train.npy", y)
    return {"path": str(folder)}


def _image_folder(folder: Path) -> dict[str, Any]:
    for i, (image, label) in enumerate(zip(*pictures(), strict=True)):
        (folder / f"class {label}").mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"class {label}" / f"{i}.png")
    return {"path": str(folder), "size": 6}


def _huggingface(folder: Path) -> dict[str, Any]:
    datasets = pytest.importorskip("datasets")
    x, y = pictures()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    table = datasets.Dataset.from_dict({"image": [Image.fromarray(i) for i in x], "label": y}, features=features)
    table.save_to_disk(str(folder / "saved"))
    return {"name": str(folder / "saved"), "size": 6}


def _table(folder: Path) -> dict[str, Any]:
    x, y = pictures(side=2)
    lines = [",".join(map(str, [*row.ravel(), f"class {label}"])) for row, label in zip(x, y, strict=True)]
    head = ",".join([*(f"p{i}" for i in range(12)), "label"])
    (folder / "table.csv").write_text("\n".join([head, *lines]))
    return {"path": str(folder / "table.csv"), "label": "label"}


def _audio_folder(folder: Path) -> dict[str, Any]:
    for i in range(60):
        (folder / f"class {i % 3}").mkdir(exist_ok=True)
        noise = np.random.default_rng(i).normal(0, 1000, 800).astype(np.int16)
        wavfile.write(folder / f"class {i % 3}" / f"{i}.wav", 8000, noise)
    return {"path": str(folder), "seconds": 0.1, "bands": 8}


def _text_folder(folder: Path) -> dict[str, Any]:
    for i in range(60):
        (folder / f"class {i % 3}").mkdir(exist_ok=True)
        (folder / f"class {i % 3}" / f"{i}.txt").write_text(f"{'abc'[i % 3] * 10}{i}")
    return {"path": str(folder), "characters": 12}


def _audio(folder: Path) -> dict[str, Any]:
    noise = np.random.default_rng(0).normal(0, 1000, (60, 800)).astype(np.int16)
    np.savez(folder / "sounds.npz", pcm16=noise, label=np.arange(60) % 3, rate=8000)
    return {"path": str(folder / "sounds.npz"), "seconds": 0.1, "bands": 8}


def _text_table(folder: Path) -> dict[str, Any]:
    lines = [f"{'abc'[i % 3] * 10}{i},class {i % 3}" for i in range(60)]
    (folder / "texts.csv").write_text("\n".join(["text,label", *lines]))
    return {"path": str(folder / "texts.csv"), "characters": 12}


GIVEN: dict[str, Callable[[Path], dict[str, Any]]] = {
    "digits": lambda folder: {},
    "npz": _npz,
    "npy": _npy,
    "table": _table,
    "image_folder": _image_folder,
    "audio_folder": _audio_folder,
    "audio": _audio,
    "text_folder": _text_folder,
    "text_table": _text_table,
    "huggingface": _huggingface,
}


@pytest.fixture(
    params=sorted(set(TASKS) - {"characters", "segmentation", "series", "recommendation"})
)  # of files of their own
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Task]:
    """Makes a task of the kind, with options beside those that it needs."""
    given = GIVEN[request.param](tmp_path)
    return lambda **options: construct(
        TASKS, PartConfig.model_validate({"kind": request.param, **given, **options}), "task"
    )


def inputs(split: Split) -> Any:
    """All of x, read where it is stored."""
    x, _ = split.read(np.arange(len(split)))
    return x


def rows(split: Split) -> set[bytes]:
    return {x.tobytes() for x in inputs(split)}


def test_a_task_keeps_its_contract(make: Callable[..., Task]) -> None:
    task = make()
    check_task(task)
    assert (task.spec.metric, task.spec.direction) == ("error", "minimize")
    for split in (task.splits.train, task.splits.valid, task.splits.test):
        assert split.x.dtype in (np.uint8, np.int16, np.float32)
        assert split.y.dtype == np.int64
        assert set(split.y) == set(range(task.spec.outputs))
        assert inputs(split).flags.c_contiguous
    data = to_device(task, "cpu")
    x, y = next(data.train.in_order(len(data.train)))
    prepared = data.prepare(x)
    if type(task.prepare) is not TableColumns and prepared.is_floating_point():  # tables are scaled by their quartiles
        assert prepared.mean() == pytest.approx(0, abs=1e-3)
        assert prepared.std() == pytest.approx(1, abs=0.3)  # a channel has deviation 1, or 0 where it is constant
    assert task.metrics["error"].statistics(torch.eye(task.spec.outputs)[y], y).sum() == 0


def test_what_it_does_to_stored_examples_is_made_again_without_the_data(make: Callable[..., Task]) -> None:
    task = make()
    record = data_record(task)
    again = prepare_of(DataRecord.model_validate_json(record.model_dump_json()))
    assert again is not None
    x = torch.from_numpy(inputs(task.splits.valid))
    assert torch.equal(again(x), task.prepare(x))
    assert stored_example(record, 2).dtype == x.dtype


def test_splits_are_disjoint_stratified_and_follow_their_seed(make: Callable[..., Task]) -> None:
    one, same, other = (make(split_seed=seed, valid_fraction=0.25, test_fraction=0.25).splits for seed in (0, 0, 1))
    assert np.array_equal(inputs(one.valid), inputs(same.valid))
    assert not np.array_equal(inputs(one.valid), inputs(other.valid))
    assert not rows(one.train) & rows(one.test)
    assert not rows(one.valid) & rows(one.test)
    total = sum(len(s.y) for s in (one.train, one.valid, one.test))
    assert len(one.valid.y) == pytest.approx(total / 4, abs=5)
    shares = [np.bincount(s.y) / len(s.y) for s in (one.train, one.valid, one.test)]
    assert np.allclose(shares[0], shares[1], atol=0.04)
    assert np.allclose(shares[0], shares[2], atol=0.04)


def test_a_search_never_sees_the_test_examples(make: Callable[..., Task]) -> None:
    task = make()
    data = to_device(task, "cpu")
    parts = [x for examples in (data.train, data.valid) for x, _ in examples.in_order(1)]
    seen = {x[0].numpy().tobytes() for x in parts}
    assert seen == rows(task.splits.train) | rows(task.splits.valid)
    assert not [name for name in DeviceData.__dataclass_fields__ if "test" in name]


@pytest.mark.parametrize("fractions", [(0.0, 0.1), (0.1, 1.0), (0.6, 0.5), (-0.1, 0.1)])
def test_fractions_that_leave_nothing(make: Callable[..., Task], fractions: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="fractions must lie between 0 and 1"):
        make(valid_fraction=fractions[0], test_fraction=fractions[1])


def test_an_unknown_option_names_the_nearest(make: Callable[..., Task]) -> None:
    with pytest.raises(UserError, match="split_seed"):
        make(split_sed=1)


def test_digits_are_the_1797_of_scikit_learn() -> None:
    splits = TASKS["digits"]().splits
    assert [len(s.y) for s in (splits.train, splits.valid, splits.test)] == [1078, 359, 360]
    assert splits.train.x.max() == 16


# -- npz --


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path / "some.npz", **arrays)
    return path / "some.npz"


def test_splits_in_the_file_are_taken_as_they_are(tmp_path: Path) -> None:
    x, y = pictures()
    file = saved(
        tmp_path, x_train=x[:30], y_train=y[:30], x_valid=x[30:50], y_valid=y[30:50], x_test=x[50:], y_test=y[50:]
    )
    splits = TASKS["npz"](path=str(file)).splits
    assert np.array_equal(splits.train.x, np.moveaxis(x[:30], -1, 1))
    assert np.array_equal(splits.valid.y, y[30:50])
    assert np.array_equal(splits.test.y, y[50:])


def test_a_test_split_in_the_file_leaves_only_validation_to_split(tmp_path: Path) -> None:
    x, y = pictures()
    splits = TASKS["npz"](
        path=str(saved(tmp_path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:]))
    ).splits
    assert [len(s.y) for s in (splits.train, splits.valid, splits.test)] == [27, 3, 30]


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((5, 8, 9), "auto", (5, 1, 8, 9)),
        ((5, 8, 9, 3), "auto", (5, 3, 8, 9)),
        ((5, 8, 9, 1), "auto", (5, 1, 8, 9)),
        ((5, 3, 8, 9), "auto", (5, 3, 8, 9)),
        ((5, 3, 8, 3), "auto", (5, 3, 8, 3)),  # could be both: channels first
        ((5, 3, 8, 3), "channels_last", (5, 3, 3, 8)),
        ((5, 7, 8, 9), "auto", (5, 7, 8, 9)),
        ((5, 12), "auto", (5, 12)),
        ((5, 8, 9), "as_is", (5, 8, 9)),
    ],
)
def test_where_the_channels_are(shape: tuple[int, ...], layout: str, expected: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape)).reshape(shape)
    out = images_first(x, layout)
    assert out.shape == expected
    assert out.flags.c_contiguous
    assert sorted(out.ravel()) == sorted(x.ravel())


def test_channels_last_keeps_each_pixel(tmp_path: Path) -> None:
    x, _ = pictures()
    assert np.array_equal(images_first(x)[:, 2], x[..., 2])


def test_values_to_predict(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, 4))
    task = TASKS["npz"](path=str(saved(tmp_path, x_train=x, y_train=x[:, :2])), target="values")
    assert (task.spec.input_shape, task.spec.outputs, task.spec.metric) == ((4,), 2, "mse")
    assert task.splits.train.y.dtype == np.float32
    output, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    assert task.metrics["mse"].statistics(output, target).tolist() == [2.5, 8.0]
    assert task.loss(output, target, 0.3).item() == 5.25


X = np.zeros((9, 4), np.float32)
Y = np.arange(9) % 3


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X}, "has no array y_train"),
        ({"images": X, "y_train": Y}, r"has no array x_train \(it has y_train, images\)"),
        ({"images": X, "labels": Y}, r"has no array x_train \(it has images, labels\)"),
        ({"x_train": X, "y_train": Y, "x_valid": X}, "has no array y_valid"),
        ({"x_train": X, "y_train": Y, "x_tset": X, "y_tset": Y}, "did you mean 'x_test'"),
        ({"x_train": X, "y_train": Y[:5]}, "9 examples but 5 targets"),
        ({"x_train": X, "y_train": Y - 1}, "count from 0"),
        ({"x_train": X, "y_train": Y / 2}, "labels must be integers"),
        ({"x_train": X, "y_train": np.eye(9)[:, :3].astype(int)}, "labels must be integers"),
        ({"x_train": X, "y_train": Y * 0}, "two classes or more"),
        ({"x_train": X, "y_train": np.array(list("abcabcabc"))}, r"not <U1 .*; give numbers 0, 1, .*return_inverse"),
        ({"x_train": Y, "y_train": Y}, r"x_train must be numbers \(n, \.\.\.\)"),
        ({"x_train": X * np.nan, "y_train": Y}, "NaN or infinite"),
        ({"x_train": np.array([[1, 2], [3]] * 4 + [[1]], object), "y_train": Y}, "x_train .* holds Python objects"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y}, "must have one shape"),
    ],
)
def test_a_wrong_file_is_the_users_error(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    options = {"kind": "npz", "path": str(saved(tmp_path, **arrays)), "valid_fraction": 0.3, "test_fraction": 0.3}
    with pytest.raises(UserError, match=message) as error:
        construct(TASKS, PartConfig.model_validate(options), "task")
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_no_npz(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*nowhere\.npz"):
        TASKS["npz"](path=str(tmp_path / "nowhere.npz"))
    (tmp_path / "text.npz").write_text("no arrays here")
    (tmp_path / "empty.npz").touch()
    (tmp_path / "cut.npz").write_bytes(saved(tmp_path, x_train=X, y_train=Y).read_bytes()[:300])
    np.save(tmp_path / "single.npy", X)
    for name, message in (
        ("text.npz", r"text\.npz is not an npz file: write it with numpy\.savez$"),
        ("empty.npz", r"empty\.npz is not an npz file"),
        ("cut.npz", r"cut\.npz is a damaged npz file"),
        ("single.npy", r"holds one array without a name: write it with numpy\.savez"),
        (".", "cannot be read: Is a directory"),
    ):
        with pytest.raises(UserError, match=message):
            TASKS["npz"](path=str(tmp_path / name))


def test_labels_may_be_whole_floating_point_numbers() -> None:
    assert labels(np.array([0.0, 2.0])).dtype == np.int64
    for wrong in ([0.5, 1.0], [np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(UserError, match="labels must be integers"):
            labels(np.array(wrong))


# -- image_folder --


def test_natural_order() -> None:
    assert sorted(["b1", "a10", "a2", "10", "9", "a"], key=natural) == ["9", "10", "a", "a2", "a10", "b1"]


def test_folders_for_splits_and_classes_in_natural_order(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for value in (2, 10, 200):
            (tmp_path / part / f"{value}").mkdir(parents=True)
            for i in range(10):
                Image.new("RGB", (5 + i, 7), (value, 0, i)).save(tmp_path / part / f"{value}" / f"{i}.png")
    task = TASKS["image_folder"](path=str(tmp_path), size=4, valid_fraction=0.2)
    assert [len(s.y) for s in (task.splits.train, task.splits.valid, task.splits.test)] == [24, 6, 30]
    assert task.splits.train.x.shape[1:] == (3, 4, 4)
    assert [set(task.splits.test.x[task.splits.test.y == label, 0].ravel()) for label in range(3)] == [{2}, {10}, {200}]


def test_grey_pictures(tmp_path: Path) -> None:
    assert TASKS["image_folder"](**_image_folder(tmp_path), channels=1).spec.input_shape == (1, 6, 6)


def test_a_corrupt_picture_is_named(tmp_path: Path) -> None:
    options = _image_folder(tmp_path)
    (tmp_path / "class 1" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"class 1/broken\.png"):
        TASKS["image_folder"](**options)
    whole = (tmp_path / "class 1" / "1.png").read_bytes()
    (tmp_path / "class 1" / "broken.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"class 1/broken\.png"):
        TASKS["image_folder"](**options)


def test_folders_that_do_not_fit(tmp_path: Path) -> None:
    make = TASKS["image_folder"]
    with pytest.raises(UserError, match="no folder"):
        make(path=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="two classes or more"):
        make(path=str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        make(path=str(tmp_path))


def test_a_class_that_training_has_not(tmp_path: Path) -> None:
    for folder in ("train/cat", "train/dog", "test/cats"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / folder / "0.png")
    with pytest.raises(UserError, match=r"test/cats is no class .* did you mean 'cat'"):
        TASKS["image_folder"](path=str(tmp_path))


# -- huggingface --


def test_splits_columns_and_text_labels(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    x, y = pictures()
    names = [["zebra", "ant", "cow"][label] for label in y]
    table = datasets.Dataset.from_dict({"img": [Image.fromarray(i) for i in x], "animal": names})
    parts = datasets.DatasetDict({"train": table.select(range(30)), "validation": table.select(range(30, 60))})
    parts.save_to_disk(str(tmp_path / "saved"))
    options = {"name": str(tmp_path / "saved"), "image": "img", "label": "animal", "size": 6}
    splits = TASKS["huggingface"](**options).splits
    assert [len(s.y) for s in (splits.train, splits.valid, splits.test)] == [27, 30, 3]
    assert np.array_equal(splits.valid.x, np.moveaxis(x[30:], -1, 1))
    assert splits.valid.y[:3].tolist() == [2, 0, 1]
    with pytest.raises(UserError, match=r"task\.image: unknown 'image'.*'img'"):
        TASKS["huggingface"](name=options["name"])


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(UserError, match=r"task\.name: cannot load"):
        TASKS["huggingface"](name=str(tmp_path / "nowhere"))


# -- extras that are not installed --


@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [
        ("image_folder", "PIL", "images"),
        ("huggingface", "PIL", "huggingface"),
        ("huggingface", "datasets", "huggingface"),
    ],
)
def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, module: str, extra: str
) -> None:
    options = GIVEN[kind](tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError) as error:
        TASKS[kind](**options)
    assert str(error.value).endswith(how_to_install(extra))


def test_scikit_learn_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(importlib.import_module("evonas.tasks.digits"), "distribution", absent)
    with pytest.raises(UserError, match="pip install scikit-learn"):
        TASKS["digits"]()


# -- tasks of one's own, and the parts that they use --


def test_a_task_of_ones_own_is_a_function() -> None:
    def parity(*, n: int = 200) -> Task:
        x = np.random.default_rng(0).integers(0, 2, (n, 6)).astype(np.float32)
        splits = Splits(*divided(Split(x, x.sum(1).astype(np.int64) % 2), (0.2, 0.2), seed=0))
        return classification("parity", splits)

    task = construct({"parity": parity}, PartConfig.model_validate({"kind": "parity", "n": 100}), "task")
    assert task.spec.input_shape == (6,)
    assert task.spec.outputs == 2
    assert len(task.splits.valid.y) == 20


def test_statistics_are_numpys() -> None:
    x = np.random.default_rng(0).integers(0, 256, (300, 3, 5, 4)).astype(np.uint8)
    mean, deviation = channel_statistics(x, chunk=1000)
    assert mean == pytest.approx(x.mean((0, 2, 3)))
    assert deviation == pytest.approx(x.std((0, 2, 3)))


def test_a_constant_feature_is_no_division_by_zero() -> None:
    x = np.c_[np.full(50, 0.1), np.arange(50)].astype(np.float32)
    out = Standardise(x)(torch.from_numpy(x))
    assert torch.allclose(out[:, 0], torch.zeros(50), atol=1e-5)
    assert out[:, 1].std(correction=0) == pytest.approx(1)


def test_a_split_is_not_empty_and_not_ragged() -> None:
    with pytest.raises(UserError, match="no examples"):
        Split(np.zeros((0, 3)), np.zeros(0))
    with pytest.raises(UserError, match="3 examples but 2 targets"):
        Split(np.zeros((3, 3)), np.zeros(2))


def test_what_is_the_same_in_all_examples_is_no_target(tmp_path: Path) -> None:
    x = np.arange(60, dtype=np.float32).reshape(30, 2)
    file = saved(tmp_path, x_train=x, y_train=np.full(30, 2.5))
    with pytest.raises(UserError, match=r"what is predicted is 2\.5 in all training examples; there is"):
        TASKS["npz"](path=str(file), target="values")
    for values, line in (
        (np.c_[np.arange(30), np.full(30, 7.0)], r"number 2 of the 2 that are predicted is 7 in all .*; leave it out"),
        (
            np.tile([1.0, 2.0], (30, 1)),
            r"what is predicted is 1, 2 in all training examples; there is nothing to learn",
        ),
    ):
        file = saved(tmp_path, x_train=x, y_train=values)
        with pytest.raises(UserError, match=line):
            TASKS["npz"](path=str(file), target="values")
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("a" * 50 + "b" * 9 * (part != "train"))
    with pytest.raises(UserError, match=r"all characters of the training text in .* are alike"):
        TASKS["characters"](path=str(tmp_path), context=4)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.full(5, 2.5), r"^task mine: splits\.train\.y is 2\.5 in all training examples; there is nothing to learn$"),
        (np.c_[np.arange(5), np.ones(5)], r"number 2 of the columns of splits\.train\.y is 1 in all .*; leave it out$"),
    ],
)
def test_values_that_are_given_in_python_and_alike(y: Any, said: str) -> None:
    split = Split(np.arange(10.0).reshape(5, 2), y)
    with pytest.raises(UserError, match=said):
        regression("mine", Splits(split, split, split))


def test_values_that_are_not_finite() -> None:
    split = Split(np.ones((3, 2)), np.array([1.0, np.inf, 2.0]))
    with pytest.raises(UserError, match="NaN or infinite"):
        regression("values", Splits(split, split, split))


def test_on_a_cpu_nothing_is_copied() -> None:
    task = bars_task()
    x, _ = next(to_device(task, "cpu").train.in_order(1))
    assert x.data_ptr() == task.splits.train.x.ctypes.data
