import pytest
import torch
from torch import Generator, Tensor

from evonas.config import AugmentConfig
from evonas.evaluation.augment import augment, check, crop, cutout, flip
from evonas.records import InputSpec


def images(n: int = 200, side: int = 6) -> Tensor:
    """All values differ and none is 0."""
    return torch.arange(1.0, n * 2 * side * side + 1).reshape(n, 2, side, side)


def seed(value: int = 0) -> Generator:
    return Generator().manual_seed(value)


ALL = AugmentConfig(crop=2, flip=True, cutout=3)


def test_the_generator_alone_decides() -> None:
    x = images()
    before = torch.get_rng_state()
    assert torch.equal(augment(x, ALL, seed(1)), augment(x, ALL, seed(1)))
    assert not torch.equal(augment(x, ALL, seed(1)), augment(x, ALL, seed(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_asked_for_is_nothing_done() -> None:
    x = images()
    assert augment(x, AugmentConfig(), seed()) is x


def test_the_input_is_not_written_into() -> None:
    x = images()
    augment(x, ALL, seed())
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
    flipped = flip(x, seed())
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
    out = augment(x, ALL, seed())
    assert out.shape == x.shape
    assert out.dtype == x.dtype


def test_examples_that_are_no_images_are_refused() -> None:
    check(AugmentConfig(), InputSpec((64,)))
    check(ALL, InputSpec((3, 8, 8)))
    with pytest.raises(ValueError, match=r"images \(channels, height, width\), not for examples 64"):
        check(AugmentConfig(flip=True), InputSpec((64,)))
    with pytest.raises(ValueError, match="9 pixels"):
        check(AugmentConfig(crop=9), InputSpec((3, 8, 8)))
