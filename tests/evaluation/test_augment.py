import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn

from evonas.config import AugmentConfig, TrainingConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.augment import augment, check, crop, cutout
from evonas.evaluation.training.loop import Trainer
from evonas.measuring.torch_state import seeded
from evonas.records import InputSpec, TaskSpec
from evonas.tasks import Split, Splits, Task, TaskMetric, classification, regression
from evonas.tasks.losses import cross_entropy
from evonas.tasks.task import Effect
from tests.evaluation.small import bars_task


def images(n: int = 200, side: int = 6) -> Tensor:
    """All values differ and none is 0."""
    return torch.arange(1.0, n * 2 * side * side + 1).reshape(n, 2, side, side)


def seed(value: int = 0) -> Generator:
    return Generator().manual_seed(value)


ALL = AugmentConfig(crop=2, flip=True, cutout=3)


def augmented(x: Tensor, generator: Generator, config: AugmentConfig = ALL) -> Tensor:
    """Images whose targets are classes."""
    y = torch.zeros(len(x), dtype=torch.int64)
    found, targets = augment(x, y, config, {}, generator)
    assert targets is y
    return found


def test_the_generator_alone_decides() -> None:
    x = images()
    before = torch.get_rng_state()
    assert torch.equal(augmented(x, seed(1)), augmented(x, seed(1)))
    assert not torch.equal(augmented(x, seed(1)), augmented(x, seed(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_asked_for_is_nothing_done() -> None:
    x = images()
    assert augmented(x, seed(), AugmentConfig()) is x


def test_the_input_is_not_written_into() -> None:
    x = images()
    augmented(x, seed())
    assert torch.equal(x, images())


def test_crop_moves_each_image_by_up_to_its_padding() -> None:
    x = images()
    moved = crop(x, 1, seed())
    found = set()
    for before, after in zip(x, moved, strict=True):
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if torch.equal(_shifted(before, dy, dx), after)]
        assert len(shifts) == 1
        found.add(shifts[0])
    assert len(found) == 9


def _shifted(image: Tensor, dy: int, dx: int) -> Tensor:
    out = torch.zeros_like(image)
    side = image.shape[1]
    for y in range(side):
        for x in range(side):
            if 0 <= y + dy < side and 0 <= x + dx < side:
                out[:, y, x] = image[:, y + dy, x + dx]
    return out


def test_flip_mirrors_about_half() -> None:
    x = images()
    flipped = augmented(x, seed(), AugmentConfig(flip=True))
    mirrored = [torch.equal(after, before.flip(2)) for before, after in zip(x, flipped, strict=True)]
    untouched = [torch.equal(after, before) for before, after in zip(x, flipped, strict=True)]
    assert all(a != b for a, b in zip(mirrored, untouched, strict=True))
    assert 70 < sum(mirrored) < 130


@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_cutout_zeroes_one_square_in_all_channels(side: int) -> None:
    cut = cutout(images(), side, seed()) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    rows, columns = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
    assert torch.equal(cut[:, 0].sum((1, 2)), rows * columns)
    assert rows.max() == columns.max() == side
    assert rows.min() >= (side + 1) // 2  # at a border, at least half of it is inside


def test_shape_type_and_layout_stay() -> None:
    x = images().contiguous(memory_format=torch.channels_last)
    out = augmented(x, seed())
    assert out.shape == x.shape
    assert out.dtype == x.dtype


def masks_task(effects: Mapping[str, Effect] | None = None, own: nn.Module | None = None) -> Task:
    """Images of noise whose mask is where they are above their mean."""
    x = np.random.default_rng(0).normal(size=(32, 1, 6, 6)).astype(np.float32)
    split = Split(x, (x[:, 0] > 0).astype(np.int64))
    metrics = {"wrong": TaskMetric(lambda output, y: (output.argmax(1) != y).float().flatten(1).mean(1))}
    spec = TaskSpec("masks", InputSpec((1, 6, 6)), (2, 6, 6), {"wrong": "minimize"})
    return Task(
        spec, Splits(split, split, split), nn.Identity(), cross_entropy, metrics, augmentations=effects, augment=own
    )


@pytest.mark.parametrize("asked", [{"flip": True}, {"crop": 3}, {"flip": True, "crop": 2}])
def test_a_mask_is_turned_with_its_image(asked: dict[str, Any]) -> None:
    task = masks_task({"flip": "transformed", "crop": "transformed"})
    config = AugmentConfig(**asked)
    check(config, task)
    before, y = (torch.from_numpy(part) for part in (task.splits.train.x, task.splits.train.y))
    x, mask = augment(before, y, config, task.effects, seed())
    assert not torch.equal(x, before)
    assert torch.equal((x[:, 0] > 0).long(), mask)
    assert x.shape == before.shape
    assert mask.dtype == y.dtype


def test_what_an_augmentation_does_to_a_target_must_be_said() -> None:
    flip = AugmentConfig(flip=True)
    with pytest.raises(UserError) as caught:
        check(flip, masks_task())
    assert str(caught.value) == (
        "training.augment.flip: the task masks does not say what it does to its targets (6, 6); leave it out, or give "
        "the Task augmentations={'flip': 'unchanged'}, or 'transformed' where the targets are images themselves"
    )
    values = regression("angles", Splits(*(Split(np.zeros((4, 1, 6, 6)), np.arange(4.0)) for _ in range(3))))
    with pytest.raises(UserError, match="the task angles does not say"):
        check(flip, values)
    check(AugmentConfig(cutout=1), masks_task({"cutout": "unchanged"}))
    check(AugmentConfig(), masks_task())
    with pytest.raises(UserError, match=r"training.augment.crop: the task masks does not say"):
        check(AugmentConfig(crop=1), masks_task({"flip": "transformed"}))


@pytest.mark.parametrize(
    ("effects", "line"),
    [
        ({"flips": "unchanged"}, "unknown 'flips'; did you mean 'flip'?"),
        ({"flip": "turned"}, "flip leaves a target 'unchanged' or is 'transformed' with it, not 'turned'"),
        ({"cutout": "transformed"}, "cutout leaves a target 'unchanged'; give a module as `augment`"),
    ],
)
def test_a_wrong_word_about_targets_is_refused(effects: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=re.escape(line)):
        masks_task(effects)
    with pytest.raises(UserError, match=r"crop transforms targets \(..., height, width\) of 8x8, not \(\)"):
        replace(bars_task(), augmentations={"crop": "transformed"})


class Shifted(nn.Module):
    """Images and masks moved down alike, by up to two pixels."""

    def forward(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        by = int(torch.randint(3, (), generator=generator))
        return x.roll(by, 2), y.roll(by, 1)


class Spoilt(nn.Module):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        if self.fault == "raises":
            raise KeyError("no")
        return {"shape": (x[:, :, :3], y), "type": (x, y.float()), "random": (x + torch.rand(()), y)}[self.fault]


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("raises", "augment of 4 training examples raises KeyError: 'no'"),
        ("shape", "augment gives inputs torch.float32 (4, 1, 3, 6) for torch.float32 (4, 1, 6, 6); both must stay"),
        ("type", "augment gives targets torch.float32 (4, 6, 6) for torch.int64 (4, 6, 6); both must stay"),
        ("random", "augment gives other inputs each time; draw with the generator that it is given"),
    ],
)
def test_a_task_s_own_augmentation_that_cannot_be_is_refused(fault: str, line: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"task masks: {line}")):
        check(AugmentConfig(), masks_task(own=Spoilt(fault)))


def test_a_task_s_own_augmentation_is_of_training_alone() -> None:
    """A network learns the masks of moved images, and is scored on images that are not moved."""
    task = masks_task(own=Shifted())
    check(AugmentConfig(), task)
    seen: list[Tensor] = []

    class Watching(Shifted):
        def forward(self, x: Tensor, y: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
            x, y = super().forward(x, y, generator)
            assert torch.equal((x[:, 0] > 0).long(), y)
            seen.append(x)
            return x, y

    watched = replace(task, augment=Watching())
    config = TrainingConfig(epochs=8, batch_size=16)
    with seeded(0):
        network = nn.Conv2d(1, 2, 1)
    epochs = list(Trainer(network, to_device(watched, "cpu"), watched, config, 0).epochs())
    assert len(seen) == 16
    assert epochs[-1].metrics["wrong"] < 0.5


def test_examples_that_are_no_images_are_refused() -> None:
    table = Split(np.ones((4, 64), np.float32), np.array([0, 1, 0, 1]))
    vectors = classification("table", Splits(table, table, table))
    check(AugmentConfig(), vectors)
    check(ALL, bars_task())
    with pytest.raises(UserError, match=r"images \(channels, height, width\), not for examples 64"):
        check(AugmentConfig(flip=True), vectors)
    with pytest.raises(UserError, match="9 pixels are more than an image of 8 x 8 has"):
        check(AugmentConfig(crop=9), bars_task())
