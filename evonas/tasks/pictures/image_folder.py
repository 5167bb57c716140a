"""Task kind `image_folder`: a folder of pictures for each class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evonas.paths import expanded
from evonas.tasks.class_folders import class_folders, natural
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.dealing import SplitBy, notes_of
from evonas.tasks.file_groups import keys_of_classes
from evonas.tasks.pictures.collected import collected
from evonas.tasks.pictures.images import Channels, Form, Size, pillow, sides
from evonas.tasks.pictures.place import Cache
from evonas.tasks.pictures.sources import Files
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task

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
    cache: Cache = True,
) -> Task:
    """PATH/CLASS/*.png, or PATH/train/CLASS/*.png beside PATH/valid and PATH/test, where there are such splits.

    Classes are numbered in natural order (class 2 before class 10). Splits may have other usual names: `training`;
    `validation`, `val`, `dev`; `testing`. Pictures in folders below that of a class are the class's. Hidden files and
    folders are passed over; what else is not used is said at the start of a search.

    Args:
        path: the folder.
        size: pictures are scaled to so many pixels square, or to [height, width], and held in memory, or streamed from
            the disk where they do not fit.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        split: {by: EXPRESSION}: files on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a speaker, a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.
        cache: where decoded pictures are kept, so that it is done once: true: in ~/.cache/evonas ($XDG_CACHE_HOME);
            a folder; false: nowhere.

    Raises:
        UserError: no such folder, no pictures in it, unreadable pictures, no room for them, or Pillow is missing.
    """
    pillow("image_folder", "images")
    root, form = expanded(path, "task.path"), Form(*sides(size), channels)
    found, classes, notes = class_folders(root, SUFFIXES, "pictures")
    listed = {part: _listed(files, classes) for part, files in found.items()}
    pictures = collected(
        Files(root, [file for files, _ in listed.values() for file in files]),
        form,
        [len(y) for _, y in listed.values()],
        cache,
        "task.path",
        drawn=not {"valid", "test"} <= found.keys(),
    )
    given = {part: Split(x, y) for (part, (_, y)), x in zip(listed.items(), pictures.columns, strict=True)}
    keys = keys_of_classes(split, found["train"], root)
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    notes = [*notes, *notes_of(keys, split, splits.drawn), *pictures.tally.notes(form)]
    return classification(root.name, splits, metrics, classes, notes, class_weights=class_weights)


def _listed(files: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> tuple[list[Path], Array]:
    """The files of a part, and (n,) the class of each."""
    own = sorted(files, key=natural)
    y = [classes.index(name) for name in own for _ in files[name]]
    return [file for name in own for file in files[name]], np.array(y, np.int64)
