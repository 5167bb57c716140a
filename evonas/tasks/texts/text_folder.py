"""Task kind `text_folder`: a folder of .txt files for each class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.class_folders import class_folders, count, natural, unreadable
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.dealing import SplitBy
from evonas.tasks.file_groups import keys_of_classes
from evonas.tasks.task import Task
from evonas.tasks.texts.building import Drawn, Labelled, text_task
from evonas.tasks.texts.units import read
from evonas.tasks.texts.vocabulary import SUFFIXES, check_text_room


def text_folder(
    *,
    path: str,
    unit: str = "characters",
    characters: int = 256,
    most_characters: int = 255,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """PATH/CLASS/*.txt in UTF-8, or PATH/train/CLASS/*.txt beside PATH/valid and PATH/test: which class a text is of.

    A network takes a text as whole numbers, one a character. The vocabulary is that of all training files, those from
    which a split is drawn included. In the place of characters there may be bytes, or the tokens of a tokenizer.

    Args:
        path: the folder; see `image_folder`.
        unit: characters, bytes (of any file), or the path of a tokenizer.json, which takes the extra `tokenizers`.
        characters: texts are cut to so many, or to so many other units, or filled up in front: with 0, or with the
            token that a tokenizer has for it.
        most_characters: how many have a number of their own, the most frequent ones; all others are 0.
        split: {by: EXPRESSION}: files on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a speaker, a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no .txt files in it, files that are empty or cannot be read, or the unit is none.
    """
    root = expanded(path, "task.path")
    found, classes, notes = class_folders(root, SUFFIXES, ".txt files")
    check_text_room([file for own in found.values() for files in own.values() for file in files])
    texts = {part: _read(files, classes, unit) for part, files in found.items()}
    keys = keys_of_classes(split, found["train"], root)
    drawn = Drawn(valid_fraction, test_fraction, split_seed, split, keys)
    return text_task(
        root.name, texts, classes, (unit, characters, most_characters), drawn, metrics, class_weights, notes
    )


def _read(files: Mapping[str, Sequence[Path]], classes: Sequence[str], unit: str) -> Labelled:
    """Each text with the number of its class.

    Raises:
        UserError: files that are empty or cannot be read; it names them.
    """
    found, labels = [], []
    failed: list[str] = []
    for name in sorted(files, key=natural):
        for file in files[name]:
            try:
                found.append(read(file, unit))
                labels.append(classes.index(name))
                if not found[-1].strip():
                    failed.append(f"{file} is empty")
            except UserError as error:
                failed.append(str(error).removeprefix("task.path: "))
    if failed:
        raise unreadable("task.path", count(len(failed), ".txt file"), failed)
    return Labelled(found, labels)
