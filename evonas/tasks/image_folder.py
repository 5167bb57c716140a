"""Task kind `image_folder`: a folder of pictures for each class."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from evonas.paths import expanded
from evonas.tasks.class_folders import class_folders, natural
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.dealing import SplitBy, notes_of
from evonas.tasks.file_groups import keys_of_classes
from evonas.tasks.images import Channels, Pictures, Size, pillow
from evonas.tasks.splitting import completed
from evonas.tasks.task import Split, Task

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".webp")
)


def image_folder(
    *,
    path: str,
    size: Size = 32,
    channels: Channels = 3,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """PATH/CLASS/*.png, or PATH/train/CLASS/*.png beside PATH/valid and PATH/test, where there are such splits.

    Classes are numbered in natural order (class 2 before class 10). Splits may have other usual names: `training`;
    `validation`, `val`, `dev`; `testing`. Pictures in folders below that of a class are the class's. Hidden files and
    folders are passed over; what else is not used is said at the start of a search.

    Args:
        path: the folder.
        size: pictures are scaled to so many pixels square, or to [height, width], and held in memory.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        split: {by: EXPRESSION}: files on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a speaker, a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no pictures in it, unreadable pictures, or Pillow is missing.
    """
    root = expanded(path, "task.path")
    found, classes, notes = class_folders(root, SUFFIXES, "pictures")
    pictures = Pictures(pillow("image_folder", "images"), size, channels)
    number = sum(len(files) for own in found.values() for files in own.values())
    pictures.check_room("task.path", number, drawn=not {"valid", "test"} <= found.keys())
    given = {part: _read(pictures, files, classes) for part, files in found.items()}
    pictures.check("task.path")
    keys = keys_of_classes(split, found["train"], root)
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    notes = [*notes, *notes_of(keys, split, splits.drawn), *pictures.notes()]
    return classification(root.name, splits, metrics, classes, notes, class_weights=class_weights)


def _read(pictures: Pictures, files: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> Split:
    image = pillow("image_folder", "images")
    own = sorted(files, key=natural)
    sources = [(str(file), partial(image.open, file)) for name in own for file in files[name]]
    y = [classes.index(name) for name in own for _ in files[name]]
    return Split(pictures.read(sources), np.array(y, np.int64))
