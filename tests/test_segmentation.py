"""Pictures with masks: pairs by name, values as classes, and pixels that loss and metrics count as they should."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import evonas
from evonas.cli import main
from evonas.config import AugmentConfig, PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.agreement import data_digest
from evonas.evaluation.training.augment import augment
from evonas.tasks import TASKS, Task, room
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.prepare import prepare_of
from evonas.tasks.pictures.images import ORIENTATION
from evonas.tasks.segmentation.masks import MaskFiles, MaskForm, values_of
from evonas.tasks.segmentation.pairs import Pair
from evonas.tasks.segmentation.pixels import UNKNOWN, PixelCrossEntropy, mean_iou, overlaps, wrong_pixels
from evonas.tasks.splitting import joined
from evonas.testing import check_task

N, SIDE = 20, 12


def shapes(folder: Path, n: int = N) -> Path:
    """Bright rectangles on a dark ground, 255 in the mask; on their left edge, 7."""
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(n):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        top, left = rng.integers(0, SIDE - 4, 2)
        mask[top : top + 4, left : left + 4], mask[top : top + 4, left] = 255, 7
        picture = rng.integers(0, 60, (SIDE, SIDE, 3)) + 150 * (mask > 0)[..., None]
        Image.fromarray(picture.astype(np.uint8)).save(folder / "images" / f"{i}.bmp")
        Image.fromarray(mask).save(folder / "masks" / f"{i}.png")
    return folder


def made(path: Path, **options: Any) -> Task:
    given = {"kind": "segmentation", "path": str(path), "size": SIDE, "cache": False, **options}
    return construct(TASKS, PartConfig.model_validate(given), "task")


def mask(folder: Path, name: str, change: Any) -> None:
    file = folder / "masks" / name
    change(Image.open(file)).save(file)


def test_masks_are_classes_of_pixels(tmp_path: Path) -> None:
    task = made(shapes(tmp_path), valid_fraction=0.2, test_fraction=0.2)
    check_task(task)
    assert task.classes == ("0", "7", "255")
    assert (task.spec.input_shape, task.spec.output_shape) == ((3, SIDE, SIDE), (3, SIDE, SIDE))
    assert [len(split) for split in task.splits.parts.values()] == [12, 4, 4]
    for split in task.splits.parts.values():
        assert isinstance(split.x, np.ndarray)
        bright = split.x.mean(1) > 100
        assert np.array_equal(bright, split.y > 0)
        assert [np.bincount(own.ravel()).tolist() for own in split.y] == [[128, 4, 12]] * len(split)
    again = prepare_of(data_record(task))
    assert again is not None
    nothing = task.baselines["most frequent class"]
    assert nothing["mean_iou"] == pytest.approx(128 / 144 / 3)
    assert nothing["pixel_error"] == pytest.approx(16 / 144)
    assert any("0 88.9 %, 7 2.78 %, 255 8.33 %" in note for note in task.notes)


def test_a_mask_moves_with_its_picture(tmp_path: Path) -> None:
    task = made(shapes(tmp_path))
    x, y = torch.from_numpy(task.splits.train.x).float(), torch.from_numpy(task.splits.train.y)
    generator = torch.Generator().manual_seed(0)
    moved, own = augment(x, y, AugmentConfig(crop=3, flip=True), task.effects, generator)
    assert not torch.equal(own, y)
    assert torch.equal(moved.mean(1) > 100, own > 0)


def test_parts_that_are_given_and_pixels_that_nobody_knows(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        shapes(tmp_path / part, 4)
    task = made(tmp_path, values=[0, 255], classes=["ground", "shape"], unknown_value=7, class_weights="balanced")
    check_task(task)
    assert (task.classes, task.splits.drawn) == (("ground", "shape"), ())
    assert not any("task.unknown_value" in note for note in task.notes)
    nowhere = made(tmp_path, unknown_value=9)
    assert "no pixel of any mask is task.unknown_value, 9" in nowhere.notes
    assert np.bincount(task.splits.valid.y.ravel()).nonzero()[0].tolist() == [0, 1, UNKNOWN]
    assert task.loss == PixelCrossEntropy((140 / (2 * 128), 140 / (2 * 12)))


def test_loss_and_metrics_of_known_pixels() -> None:
    target = torch.tensor([[[0, 1], [1, UNKNOWN]], [[0, 0], [2, 2]]], dtype=torch.uint8)
    found = torch.tensor([[[0, 1], [0, 2]], [[0, 0], [2, 1]]])
    output = 5 * F.one_hot(found, 4).movedim(3, 1).float()
    assert wrong_pixels(output, target).tolist() == pytest.approx([1 / 3, 1 / 4])
    counts = overlaps(output, target, 4)
    assert counts.tolist() == [[1, 1, 0, 0, 2, 2, 0, 0], [2, 0, 1, 0, 2, 1, 2, 0]]
    assert float(mean_iou(counts)) == pytest.approx((3 / 4 + 1 / 3 + 1 / 2) / 3)  # class 3 is nowhere
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    for smoothing in (0.0, 0.1):
        wanted = F.cross_entropy(output, target.long(), weights, ignore_index=UNKNOWN, label_smoothing=smoothing)
        assert PixelCrossEntropy((1.0, 2.0, 3.0, 4.0))(output, target, smoothing) == pytest.approx(float(wanted))
    assert PixelCrossEntropy()(output, torch.full_like(target, UNKNOWN), 0.0) == 0


def test_scaled_masks_have_no_new_values(tmp_path: Path) -> None:
    task = made(shapes(tmp_path), size=[5, 9], values=[0, 7, 255])
    assert task.spec.output_shape == (3, 5, 9)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (
            lambda own: own.resize((6, 12)),
            {},
            r"cannot read 1 mask: .*3.png: it is of 12 x 6 .*, its picture of 12",
        ),
        (lambda own: own.convert("RGB"), {}, r"3.png: it is of mode RGB; a mask has one channel"),
        (
            lambda own: own.point(lambda value: 9),
            {"values": [0, 7, 255]},
            r"1 mask with values of no class, 9.*: 3.png",
        ),
        (lambda own: own, {"values": [0]}, "task.values: takes different values of 2 to"),
        (lambda own: own, {"classes": ["a", "b"]}, "task.classes: 2 names for the 3 values 0, 7, 255"),
        (lambda own: own, {"metrics": ["iou"]}, "task.metrics: unknown 'iou'; did you mean 'mean_iou'"),
        (lambda own: Image.fromarray(np.arange(144, dtype=np.uint8).reshape(12, 12)), {}, "have 1.. different values"),
    ],
)
def test_what_masks_cannot_be_is_one_line(change: Any, options: dict[str, Any], says: str, tmp_path: Path) -> None:
    mask(shapes(tmp_path), "3.png", change)
    with pytest.raises(UserError, match=says) as error:
        made(tmp_path, valid_fraction=0.05, test_fraction=0.05, **options)
    assert "\n" not in str(error.value)


def test_masks_that_have_one_value_alone_are_said() -> None:
    of_zeros = np.zeros((2, 2, 4, 4), np.uint8)
    with pytest.raises(UserError, match=r"the training masks have one value \(0\), so there is nothing to tell apart"):
        values_of(None, None, of_zeros)
    with pytest.raises(UserError, match=r"the training masks have no value beside task\.unknown_value"):
        values_of(None, 0, of_zeros)


def test_a_picture_without_a_mask_ends_a_search_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shapes(tmp_path / "data") / "masks" / "3.png").unlink()
    config = tmp_path / "c.yaml"
    config.write_text(
        f"space: {{kind: mobile}}\ntask: {{kind: segmentation, path: {tmp_path / 'data'}}}\n"
        "objectives: [{metric: mean_iou}, {metric: params}]\nbudget: {evaluations: 2}\n"
    )
    assert main(["search", str(config), "--run", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "1 picture of" in said
    assert said.endswith("without a mask of the same name in " + str(tmp_path / "data" / "masks") + ": 3")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("way", "mask_turned"), [(6, True), (6, False), (1, False)])
def test_a_mask_is_turned_as_its_picture_is(way: int, mask_turned: bool, tmp_path: Path) -> None:
    """A phone stores a picture on its side; its mask may be of what is stored, or of what is seen."""
    seen = np.zeros((6, 4), np.uint8)
    seen[:2] = 1  # the top
    stored = np.rot90(seen, 1) if way == 6 else seen  # 6: to be turned clockwise
    picture, mask = Image.fromarray(stored * 255), Image.fromarray(stored if mask_turned or way == 1 else seen)
    exif = Image.Exif()
    exif[ORIENTATION] = way
    picture.save(tmp_path / "a.png", exif=exif)
    mask.save(tmp_path / "m.png")
    with MaskFiles(tmp_path, [Pair(tmp_path / "a.png", tmp_path / "m.png")]).opened(0) as both:
        found, _ = MaskForm(6, 4).pixels(both)
    assert (found == np.stack([0 * seen, seen])).all()


def test_a_mask_of_which_nothing_tells_whether_it_is_turned_is_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    Image.new("L", (4, 4)).save(tmp_path / "a.png", exif=exif)
    Image.new("L", (4, 4)).save(tmp_path / "m.png")
    with (
        MaskFiles(tmp_path, [Pair(tmp_path / "a.png", tmp_path / "m.png")]).opened(0) as both,
        pytest.raises(ValueError, match="nothing tells whether the mask is"),
    ):
        MaskForm(4, 4).pixels(both)


def test_masks_that_memory_has_no_room_for_are_streamed_and_are_the_same_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values above 255, notes, baselines and digests included; a second start decodes nothing."""
    (tmp_path / "data").mkdir()
    for file in (shapes(tmp_path / "data") / "masks").iterdir():
        Image.fromarray(np.asarray(Image.open(file)).astype(np.uint16) * 256).save(file)
    options = {"cache": str(tmp_path / "cache"), "size": [7, 9], "unknown_value": 7 * 256}
    whole = made(tmp_path / "data", **{**options, "cache": False})
    assert isinstance(whole.splits.train.y, np.ndarray)
    monkeypatch.setattr(room, "machine_memory", lambda: N * 7 * 9 * 5 - 1)
    streamed = made(tmp_path / "data", **options)
    said = capsys.readouterr().err
    assert f"decoding {N} masks of data-masks" in said
    assert "GB of masks are more than memory holds: training reads them from" in said
    for one, other in zip(whole.splits.parts.values(), streamed.splits.parts.values(), strict=True):
        assert other.is_stored
        assert not isinstance(other.y, np.ndarray)
        rows = np.arange(len(one))
        assert all(np.array_equal(a, b) for a, b in zip(one.read(rows), other.read(rows), strict=True))
    assert (whole.notes, whole.baselines) == (streamed.notes, streamed.baselines)
    assert data_record(whole) == data_record(streamed)
    assert data_digest(whole) == data_digest(pickle.loads(pickle.dumps(streamed)))
    again = joined(streamed.splits.train, streamed.splits.valid)
    assert len(again) == len(again.y) == len(streamed.splits.train) + len(streamed.splits.valid)
    check_task(streamed)
    made(tmp_path / "data", **options)
    assert "decoding" not in capsys.readouterr().err
    with pytest.raises(UserError, match=r"set a smaller task.size, or let task.cache keep them on the disk"):
        made(tmp_path / "data", **{**options, "cache": False})


@pytest.mark.slow
def test_a_search_trains_on_streamed_masks_and_its_network_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "machine_memory", lambda: N * SIDE**2 * 5 - 1)
    config = {
        "space": {"kind": "unet"},
        "task": {"kind": "segmentation", "path": str(shapes(tmp_path / "data")), "size": 16, "cache": str(tmp_path)},
        "objectives": [{"metric": "mean_iou"}, {"metric": "params"}],
        "strategy": {"kind": "random"},
        "schedule": {"generation": 2},
        "training": {"epochs": 1, "batch_size": 4},
        "budget": {"evaluations": 1},
        "runtime": {"kind": "serial"},
    }
    run = evonas.search(config, run=tmp_path / "run", progress=False)
    assert run.evaluations["status"].tolist() == ["ok"]
    [row] = evonas.train(run, [0], overrides=["trials=1", "seeds=1", "epochs=1"]).to_dict("records")
    assert (row["status"], row["fit_on"]) == ("ok", "train+valid")
    assert 0 <= row["test[mean_iou]"] <= 1
