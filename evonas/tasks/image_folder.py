"""Task kind `image_folder`: a folder of pictures for each class."""

import re
from pathlib import Path

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.images import Channels, pillow, pixels
from evonas.tasks.splitting import completed
from evonas.tasks.task import Split, Task, classification

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}


def image_folder(
    *,
    path: str,
    size: int = 32,
    channels: Channels = 3,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """PATH/CLASS/*.png, or PATH/train/CLASS/*.png beside PATH/valid and PATH/test, where there are such splits.

    Classes are numbered in natural order (class 2 before class 10).

    Args:
        path: the folder.
        size: pictures are scaled to size x size, and held in memory as uint8.
        channels: 1 for grey, 3 for RGB.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no pictures in it, an unreadable picture, or Pillow is missing.
    """
    root = Path(path)
    if size < 1:
        raise UserError(f"task.size: must be 1 or more, not {size}")
    if not root.is_dir():
        raise UserError(f"task.path: no folder {root.absolute()}")
    parts = {"train": root}
    if (root / "train").is_dir():
        parts = {name: root / name for name in ("train", "valid", "test") if (root / name).is_dir()}
    classes = [folder.name for folder in _folders(parts["train"])]
    if len(classes) < 2:
        raise UserError(f"task.path: {parts['train']} needs a sub-folder for each of two classes or more")
    given = {name: _read(folder, classes, size, channels) for name, folder in parts.items()}
    return classification(root.name, completed(given, valid_fraction, test_fraction, split_seed), metrics, classes)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which "class 2" comes before "class 10"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts)


def _folders(folder: Path) -> list[Path]:
    found = (entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return sorted(found, key=lambda entry: natural(entry.name))


def _read(folder: Path, classes: list[str], size: int, channels: Channels) -> Split:
    files = [(file, _label(own.name, classes, folder)) for own in _folders(folder) for file in _pictures(own)]
    if not files:
        raise UserError(f"task.path: no pictures in the sub-folders of {folder} ({', '.join(sorted(SUFFIXES))})")
    image = pillow("image_folder", "images")
    x = np.empty((len(files), channels, size, size), np.uint8)
    for row, (file, _) in enumerate(files):
        try:
            with image.open(file) as picture:
                x[row] = pixels(picture, size, channels)
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"task.path: cannot read the picture {file}: {error}; repair or remove it") from None
    return Split(x, np.array([label for _, label in files], np.int64))


def _pictures(folder: Path) -> list[Path]:
    found = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    return sorted(found, key=lambda file: natural(file.name))


def _label(name: str, classes: list[str], folder: Path) -> int:
    if name not in classes:
        raise UserError(f"task.path: {folder / name} is no class of the training pictures: {unknown(name, classes)}")
    return classes.index(name)
