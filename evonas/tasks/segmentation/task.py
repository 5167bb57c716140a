"""Task kind `segmentation`: pictures, and for each a mask with the class of every pixel."""

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.baselines import same_for_all
from evonas.tasks.class_folders import listed
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import chosen_metrics
from evonas.tasks.dealing import SplitBy, notes_of
from evonas.tasks.file_groups import keys_of_files
from evonas.tasks.metrics import directions
from evonas.tasks.pictures.collected import collected
from evonas.tasks.pictures.images import Channels, Form, Size, pillow, sides
from evonas.tasks.pictures.place import Cache
from evonas.tasks.pictures.sources import Files
from evonas.tasks.segmentation.masks import (
    MaskFiles,
    MaskForm,
    check_values,
    in_memory_or_not,
    pixels_of,
    shares,
    table_of,
    values_of,
)
from evonas.tasks.segmentation.pairs import pairs
from evonas.tasks.segmentation.pixels import UNKNOWN, PixelCrossEntropy, metrics_of, most_frequent, pixel_weights
from evonas.tasks.splitting import completed
from evonas.tasks.task import Effect, Split, Standardise, Task

AUGMENTATIONS: dict[str, Effect] = {"crop": "transformed", "flip": "transformed", "cutout": "unchanged"}


def segmentation(
    *,
    path: str,
    size: Size = 64,
    channels: Channels = 3,
    values: tuple[int, ...] | None = None,
    classes: tuple[str, ...] = (),
    unknown_value: int | None = None,
    cache: Cache = True,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("mean_iou", "pixel_error"),
) -> Task:
    """PATH/images/* and PATH/masks/*.png of the same names, or both in PATH/train beside PATH/valid and PATH/test.

    A mask is as large as its picture, of one channel or a palette; each of its values is a class. Both are scaled to
    `size`, a mask to the nearest of its pixels. A network gives logits (classes, height, width), as those of `unet` do.
    In training, masks are cropped and flipped with their pictures (`training.augment`).

    Args:
        path: the folder.
        size: pictures and masks are scaled to so many pixels square, or to [height, width].
        channels: of a picture: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        values: of masks, one for each class, in their order; default: all that the training masks have.
        classes: what the classes are called, in the order of their values.
        unknown_value: of pixels of which nobody knows the class: neither loss nor metrics look at them.
        cache: pictures and masks are decoded once, into files that later starts and all processes map, and from which
            training reads what memory has no room for: true, in the user's cache folder; false, nowhere; or a folder.
        split: {by: EXPRESSION}: pictures on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: of `mean_iou`, the mean over classes of the pixels of which output and mask say the class, over those
            of which one of them does, and `pixel_error`, the share of wrong pixels of a picture; the main one first.

    Raises:
        UserError: no such folder, a picture without a mask or one of another size, a value that is of no class,
            unreadable files, or Pillow is missing.
    """
    root, (height, width) = expanded(path, "task.path"), sides(size)
    pillow("segmentation", "images")
    found, notes = pairs(root)
    form, drawn = Form(height, width, channels), not {"valid", "test"} <= found.keys()
    every, sizes = [pair for own in found.values() for pair in own], [len(own) for own in found.values()]
    mask_files, mask_form = MaskFiles(root, every), MaskForm(height, width)
    pictures, masks = (
        collected(files, own, sizes, cache, "task.path", drawn=drawn, beside=len(every) * height * width * others)
        for files, own, others in (
            (Files(root, [pair.picture for pair in every]), form, 2),
            (mask_files, mask_form, channels),
        )
    )
    parts = dict(zip(found, masks.columns, strict=True))
    known = values_of(values, unknown_value, parts["train"])
    table = table_of(known, unknown_value)
    for part, stored in parts.items():
        check_values(stored, table, [pair.mask for pair in found[part]], known)
    columns = zip(found, pictures.columns, in_memory_or_not(masks.columns, table), strict=True)
    given = {part: Split(x, y) for part, x, y in columns}
    keys = keys_of_files(split, [pair.picture for pair in found["train"]], root)
    splits = completed(given, valid_fraction, test_fraction, split_seed, stratify=False, keys=keys)
    names = tuple(classes) or tuple(map(str, known))
    if len(names) != len(known):
        raise UserError(f"task.classes: {len(names)} names for the {len(known)} values {listed(map(str, known))}")
    counts = pixels_of(splits.train.y)
    others = (splits.valid, splits.test) if unknown_value is not None and not counts[UNKNOWN] else ()
    if others and not any(pixels_of(split.y)[UNKNOWN] for split in others):
        notes.append(f"no pixel of any mask is task.unknown_value, {unknown_value}")
    weights, said = pixel_weights(class_weights, counts[: len(names)], names)
    chosen = chosen_metrics(metrics, metrics_of(len(known)))
    notes = [*notes, *notes_of(keys, split, splits.drawn), *pictures.tally.notes(form), *shares(counts, names), *said]
    shape = (len(known), *splits.train.y.shape[1:])
    spec = TaskSpec(root.name, InputSpec(splits.train.columns[""].shape[1:]), shape, directions(chosen))
    return Task(
        spec,
        splits,
        Standardise(splits.train.columns[""]),
        PixelCrossEntropy(weights),
        chosen,
        names,
        tuple(notes),
        augmentations=AUGMENTATIONS,
        baselines=same_for_all("most frequent class", chosen, splits, most_frequent(counts, shape)),
        offered=tuple(metrics_of(len(known))),
    )
