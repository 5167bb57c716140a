"""Data as people have them: other names, other formats, other labels. What is guessed or left out is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import evonas
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.tasks import TASKS, Split, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.words import in_words
from evonas.testing import check_task


def made(kind: str, path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": kind, "path": str(path), **options}), "task")


def fill(folder: Path, value: int = 0, n: int = 10, side: int = 6) -> Path:
    """Grey-green pictures that differ."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.new("RGB", (side, side), (value, i, 0)).save(folder / f"{i}.png")
    return folder


def sizes(task: Task) -> list[int]:
    return [len(split) for split in task.splits.parts.values()]


def said(task: Task) -> str:
    return "\n".join(task.notes)


# -- names of splits --


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("training", "validation", "testing"), ("Train", "dev", "Test")]
)
def test_the_usual_names_of_splits_are_known(tmp_path: Path, names: tuple[str, str, str]) -> None:
    for name, n in zip(names, (8, 3, 2), strict=True):
        for value, label in enumerate(("cat", "dog")):
            fill(tmp_path / name / label, value, n)
    fill(tmp_path / "extra" / "cat")
    (tmp_path / ".cache").mkdir()
    task = made("image_folder", tmp_path, size=6)
    assert sizes(task) == [16, 6, 4]
    assert f"not used, as no name of a split: extra in {tmp_path}" in said(task)
    assert "cache" not in said(task)
    words = in_words(data_record(task))
    assert words == "train 16, valid 6, test 4 examples, each 3 x 6 x 6 of uint8; 2 classes (cat: 13, dog: 13)"


def test_two_names_of_one_split_are_refused(tmp_path: Path) -> None:
    for name in ("train", "val", "valid"):
        fill(tmp_path / name / "a")
    with pytest.raises(UserError, match="val and valid are both names of the split valid; keep one"):
        made("image_folder", tmp_path)


def test_arrays_have_the_usual_names_too(tmp_path: Path) -> None:
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_val=x[:6], y_val=y[:6])
    task = made("npz", tmp_path / "a.npz")
    assert sizes(task) == [18, 6, 2]
    assert in_words(data_record(task)).startswith("train 18, valid 6, test 2 (drawn from train) examples, each 2 of")


# -- what lies beside the pictures --


def test_folders_that_are_no_classes_shift_no_label(tmp_path: Path) -> None:
    for value, name in enumerate(("cat", "dog")):
        fill(tmp_path / name, 100 * value)
    for name in ("__MACOSX", "empty", "notes", ".hidden"):
        (tmp_path / name).mkdir()
    fill(tmp_path / "__MACOSX" / "cat")
    (tmp_path / "notes" / "readme.txt").write_text("")
    task = made("image_folder", tmp_path, size=6)
    assert task.spec.outputs == 2
    assert task.classes == ("cat", "dog")
    assert set(task.splits.train.x[task.splits.train.y == 1, 0].ravel()) == {100}
    assert f"no classes, as there are no pictures in them: empty, notes in {tmp_path}" in said(task)
    assert "hidden" not in said(task)


def test_pictures_a_level_deeper_belong_to_their_class(tmp_path: Path) -> None:
    fill(tmp_path / "cat" / "images")
    fill(tmp_path / "dog")
    task = made("image_folder", tmp_path, size=6)
    assert sum(sizes(task)) == 20
    assert f"pictures in folders below that of a class are taken, too, in {tmp_path}: cat (images)" in said(task)


def test_a_whole_data_set_among_the_classes_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "cat")
    fill(tmp_path / "dog")
    fill(tmp_path / "old" / "cat")
    with pytest.raises(UserError, match=r"old has folders of its own that are called like classes \(cat\)"):
        made("image_folder", tmp_path)


def test_unread_formats_are_counted_and_hidden_files_passed_over(tmp_path: Path) -> None:
    for value, name in enumerate(("cat", "dog")):
        fill(tmp_path / name, value)
        (tmp_path / name / "._3.png").write_bytes(b"\0\5\26\7 of a Mac")
    for i in range(5):
        (tmp_path / "cat" / f"{i}.HEIC").write_bytes(b"x")
    (tmp_path / "labels.csv").write_text("")
    task = made("image_folder", tmp_path, size=6)
    assert sum(sizes(task)) == 20
    assert f"not read in {tmp_path}: files that are 1 .csv, 5 .heic" in said(task)


def test_all_unreadable_pictures_are_in_one_message(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            fill(tmp_path / part / name)
    broken = [tmp_path / "train" / "cat" / f"b{i}.png" for i in range(6)] + [tmp_path / "test" / "dog" / "c.png"]
    for file in broken:
        file.write_bytes(b"no picture")
    with pytest.raises(UserError, match="cannot read 7 pictures") as error:
        made("image_folder", tmp_path)
    assert str(broken[0]) in str(error.value)
    assert "; and 2 more; repair or remove them" in str(error.value)
    assert "\n" not in str(error.value)


# -- what pictures become --


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_16_bits_keep_their_values(tmp_path: Path, suffix: str, channels: int) -> None:
    for name, low in (("a", 0), ("b", 20_000), ("c", 40_000)):
        (tmp_path / name).mkdir()
        for i in range(10):
            pixels = np.random.default_rng(i).integers(low, low + 5_000, (6, 6)).astype(np.uint16)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.{suffix}")
    task = made("image_folder", tmp_path, size=6, channels=channels)
    check_task(task)
    x, y = task.splits.train.x, task.splits.train.y
    assert x.shape[1:] == (channels, 6, 6)
    for label, low in enumerate((0, 20_000, 40_000)):
        assert low <= x[y == label].min() < x[y == label].max() < low + 5_000
    assert "more than 8 bits a channel: their values are kept, as float32" in said(task)


def test_depths_that_are_mixed_are_refused_with_the_files_name(tmp_path: Path) -> None:
    fill(tmp_path / "a")
    fill(tmp_path / "b")
    Image.fromarray(np.full((6, 6), 30_000, np.uint16)).save(tmp_path / "b" / "deep.png")
    with pytest.raises(UserError, match=r"b/deep\.png: it is of mode I;?1?6?, .*a/0\.png is not"):
        made("image_folder", tmp_path, size=6)


def see_through(folder: Path, colour: int, mode: str = "RGBA") -> None:
    """A shape that is in the alpha channel alone: a bar on the left, or on the right."""
    for name, where in (("left", slice(0, 3)), ("right", slice(3, 6))):
        (folder / name).mkdir(parents=True)
        for i in range(10):
            pixels = np.full((6, 6, 4), colour, np.uint8)
            pixels[..., 3] = 0
            pixels[:, where, 3] = 255
            picture = Image.fromarray(pixels)
            (picture if mode == "RGBA" else picture.convert(mode)).save(folder / name / f"{i}.png")


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pictures_are_laid_on_a_background(tmp_path: Path, colour: int, channels: int, mode: str) -> None:
    see_through(tmp_path, colour, mode)
    task = made("image_folder", tmp_path, size=6, channels=channels)
    x, y = task.splits.train.x, task.splits.train.y
    assert set(x[y == 0][..., :3].ravel()) == set(x[y == 1][..., 3:].ravel()) == {colour}
    assert set(x[y == 0][..., 3:].ravel()) == {128}
    assert "20 pictures with transparency are laid on grey (128 of 255); channels: 4 keeps" in said(task)


def test_transparency_is_kept_as_a_channel(tmp_path: Path) -> None:
    see_through(tmp_path, 90)
    task = made("image_folder", tmp_path, size=6, channels=4)
    assert task.spec.input_shape == (4, 6, 6)
    assert set(task.splits.train.x[:, 3].ravel()) == {0, 255}
    assert "transparen" not in said(task)


def test_rectangles_and_what_pictures_become(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("L", (28, 28), i).save(tmp_path / name / f"{i}.png")
    task = made("image_folder", tmp_path, size=[28, 40])
    assert task.spec.input_shape == (3, 28, 40)
    wanted = "20 pictures of 28 x 28 (height x width) are scaled to 28 x 40, their proportions are not kept"
    assert wanted in said(task)
    assert "20 grey pictures become RGB; channels: 1 keeps them grey" in said(task)
    assert not made("image_folder", tmp_path, size=28, channels=1).notes
    assert "are scaled to 32 x 32;" in said(made("image_folder", tmp_path))
    for wrong in (0, [28, 0]):
        with pytest.raises(UserError, match=r"task\.size: must be 1 or more"):
            made("image_folder", tmp_path, size=wrong)


@pytest.mark.parametrize(("way", "suffix"), [*((way, "png") for way in range(1, 9)), (6, "tif")])
def test_pictures_are_turned_as_their_camera_says(tmp_path: Path, way: int, suffix: str) -> None:
    """To what Pillow's own function makes of them."""
    upright = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20
    picture = Image.fromarray(upright)
    exif = picture.getexif()
    exif[0x0112] = way
    for name in ("a", "b"):
        (tmp_path / "x" / name).mkdir(parents=True)
        for number in range(4):
            picture.save(tmp_path / "x" / name / f"{number}.{suffix}", exif=exif)
    with Image.open(tmp_path / "x" / "a" / f"0.{suffix}") as stored:
        wanted = np.asarray(ImageOps.exif_transpose(stored))
    task = TASKS["image_folder"](
        path=str(tmp_path / "x"), size=wanted.shape, channels=1, valid_fraction=0.25, test_fraction=0.25
    )
    assert (task.splits.train.x[0, 0] == wanted).all()
    assert any("turned upright" in note for note in task.notes) is (way > 1 and suffix == "png")


def test_pictures_of_a_hub_data_set_are_said_too(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    images = [Image.new("L", (8, 6), i) for i in range(20)]
    tables = {
        "train": datasets.Dataset.from_dict({"image": images, "label": [i % 2 for i in range(20)]}, features=features),
        "test": datasets.Dataset.from_dict({"image": images, "label": [-1] * 20}, features=features),
        "unsupervised": datasets.Dataset.from_dict({"image": images, "label": [0] * 20}, features=features),
    }
    datasets.DatasetDict(tables).save_to_disk(str(tmp_path / "saved"))
    options = {"kind": "huggingface", "name": str(tmp_path / "saved"), "size": [6, 8]}
    task = construct(TASKS, PartConfig.model_validate(options), "task")
    assert task.spec.input_shape == (3, 6, 8)
    assert task.classes == ("a", "b")
    assert "40 grey pictures become RGB" in said(task)
    assert "not used, as no name of a split: unsupervised" in said(task)
    assert "the test split is left out: its targets are -1 throughout" in said(task)
    assert sizes(task) == [16, 2, 2]


# -- labels --

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


def arrays(tmp_path: Path, **given: Any) -> Task:
    np.savez(tmp_path / "data.npz", **given)
    return made("npz", tmp_path / "data.npz", valid_fraction=0.2, test_fraction=0.2)


@pytest.mark.parametrize("values", [(1, 2, 3, 4), (0, 7, 99, 255), (0, 1, 5_000_000)])
def test_labels_with_gaps_are_renumbered_with_the_names_in_the_record(tmp_path: Path, values: tuple[int, ...]) -> None:
    y = np.array(values)[np.arange(60) % len(values)]
    task = arrays(tmp_path, x_train=X, y_train=y)
    assert task.spec.outputs == len(values)
    label_of = {row.tobytes(): label for row, label in zip(X, y, strict=True)}
    for split in task.splits.parts.values():
        assert [label_of[row.tobytes()] for row in split.x] == np.array(values)[split.y].tolist()
    assert data_record(task).classes == tuple(map(str, values))
    assert f"become 0 to {len(values) - 1}; run.json has them as names of the classes" in said(task)


def test_a_label_that_training_does_not_have_names_part_and_label(tmp_path: Path) -> None:
    y = np.arange(60) % 3
    with pytest.raises(UserError, match=r"test has labels that no training example has: 3 \(2 of 4 examples\)"):
        arrays(tmp_path, x_train=X, y_train=y, x_test=X[:4], y_test=np.array([0, 3, 3, 1]))


def test_a_test_split_without_labels_is_left_out(tmp_path: Path) -> None:
    y = np.arange(60) % 3
    task = arrays(tmp_path, x_train=X, y_train=y, x_test=X[:9], y_test=np.full(9, -1))
    assert sum(sizes(task)) == 60
    assert said(task) == "the test split is left out: its targets are -1 throughout, so it has none"
    assert task.splits.drawn == ("valid", "test")
    np.savez(tmp_path / "v.npz", x_train=X, y_train=X[:, 0], x_test=X[:9], y_test=np.full(9, np.nan))
    values = made("npz", tmp_path / "v.npz", target="values")
    assert "the test split is left out: its targets are NaN throughout" in said(values)


@pytest.mark.parametrize(("part", "y"), [("test", [0, -1, 1, 2]), ("train", [-1] * 4)])
def test_some_labels_that_are_missing_name_the_part(tmp_path: Path, part: str, y: list[int]) -> None:
    given = {"x_train": X, "y_train": np.arange(60) % 3} | {f"x_{part}": X[:4], f"y_{part}": np.array(y)}
    with pytest.raises(UserError, match=f"count from 0, not from -1, in {part}; leave out the {y.count(-1)} examples"):
        arrays(tmp_path, **given)


# -- types of numbers --


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize(
    ("dtype", "becomes"),
    [
        (">f4", "float32"),
        (">i2", "int16"),
        ("u2", "int32"),
        (">u4", "int64"),
        ("u8", "int64"),
        ("g", "float64"),
        ("f2", "float16"),
    ],
)
def test_numbers_of_any_type_are_converted(tmp_path: Path, kind: str, dtype: str, becomes: str) -> None:
    x = np.arange(60 * 4).reshape(60, 4).astype(dtype)
    y = (np.arange(60) % 3).astype(">i8")
    if kind == "npz":
        np.savez(tmp_path / "data.npz", x_train=x, y_train=y)
    else:
        np.save(tmp_path / "x_train.npy", x)
        np.save(tmp_path / "y_train.npy", y)
    task = made(kind, tmp_path / "data.npz" if kind == "npz" else tmp_path)
    check_task(task)
    found, _ = task.splits.train.read(np.arange(len(task.splits.train)))
    assert found.dtype == np.dtype(becomes)
    assert set(found[:, 0].tolist()) <= set(range(0, 240, 4))


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.full((9, 4), "a"), "examples are numbers, not <U1; convert them"),
        (np.full((9, 4), 2**63, np.uint64), r"whole numbers of 2\^63 and more"),
        (np.zeros((9, 4), complex), "examples are numbers, not complex128"),
        (np.zeros((9, 4), "M8[s]"), r"examples are numbers, not datetime64\[s\]"),
    ],
)
def test_numbers_that_cannot_be_held_are_one_line(x: Any, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        Split(x, np.arange(9) % 2)
    assert "\n" not in str(error.value)


# -- paths --


def test_a_path_of_a_config_is_read_as_a_shell_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "data.npz", x_train=X, y_train=np.arange(60) % 3)
    for path in ("~/data.npz", "$DATA/data.npz", "${DATA}/data.npz", "data.npz"):
        assert sum(sizes(made("npz", Path(path)))) == 60
    np.save(tmp_path / "x_train.npy", X)
    np.save(tmp_path / "y_train.npy", np.arange(60) % 3)
    assert sum(sizes(made("npy", Path("~")))) == 60
    fill(tmp_path / "pictures" / "a")
    fill(tmp_path / "pictures" / "b")
    assert sum(sizes(made("image_folder", Path("$DATA/pictures")))) == 20
    with pytest.raises(UserError, match=r"task\.path: \$NOWHERE/x\.npz: the variable \$NOWHERE is not set"):
        made("npz", Path("$NOWHERE/x.npz"))


# -- what a space takes --


@pytest.mark.parametrize("kind", ["cell", "mobile"])
def test_a_space_of_pictures_refuses_vectors_before_anything_starts(tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "data.npz", x_train=X, y_train=np.arange(60) % 3)
    config = {
        "space": {"kind": kind},
        "task": {"kind": "npz", "path": str(tmp_path / "data.npz")},
        "objectives": [{"metric": "error"}],
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }
    with pytest.raises(UserError, match=f"space: {kind} builds networks for images .*, not for inputs of 4$"):
        evonas.search(config, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()
