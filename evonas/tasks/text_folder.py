"""Task kind `text_folder`: a folder of .txt files for each class."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.class_folders import class_folders, count, natural, unreadable
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.dealing import SplitBy
from evonas.tasks.file_groups import keys_of_classes
from evonas.tasks.metrics import directions
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task
from evonas.tasks.vocabulary import SUFFIXES, Tokens, check_text_room, code_points, counted, notes_on, read_text


def text_folder(
    *,
    path: str,
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
    which a split is drawn included.

    Args:
        path: the folder; see `image_folder`.
        characters: texts are cut to so many, or filled up with 0 in front.
        most_characters: how many have a number of their own, the most frequent ones; all others are 0.
        split: {by: EXPRESSION}: files on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a speaker, a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no .txt files in it, or files that cannot be read.
    """
    if characters < 1 or most_characters < 1:
        raise ValueError(f"characters and most_characters take 1 or more, not {characters} and {most_characters}")
    root = expanded(path, "task.path")
    found, classes, notes = class_folders(root, SUFFIXES, ".txt files")
    check_text_room([file for own in found.values() for files in own.values() for file in files])
    texts = {part: _read(files, classes) for part, files in found.items()}
    kept = {part: [text[:characters] for text, _ in own] for part, own in texts.items()}
    whole = "".join(kept["train"])
    vocabulary = counted(whole, most_characters)
    numbers = {part: [vocabulary.encoded(text) for text in own] for part, own in kept.items()}
    given = {
        part: Split(_filled(own, characters), np.array([label for _, label in texts[part]], np.int64))
        for part, own in numbers.items()
    }
    notes += _lengths([len(text) for own in texts.values() for text, _ in own], characters)
    joined = {part: np.concatenate(own) for part, own in numbers.items()}
    notes += notes_on(vocabulary, joined, len(np.unique(code_points(whole))))
    keys = keys_of_classes(split, found["train"], root, notes)
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    task = classification(root.name, splits, metrics, classes, notes, class_weights=class_weights)
    inputs = InputSpec((characters,), "int64", vocabulary.size)
    spec = TaskSpec(task.spec.name, inputs, task.spec.output_shape, directions(task.metrics))
    return replace(task, spec=spec, prepare=Tokens())


def _read(files: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> list[tuple[str, int]]:
    """Each text with the number of its class.

    Raises:
        UserError: files that cannot be read; it names them.
    """
    found: list[tuple[str, int]] = []
    failed: list[str] = []
    for name in sorted(files, key=natural):
        for file in files[name]:
            try:
                found.append((read_text(file), classes.index(name)))
            except UserError as error:
                failed.append(str(error).removeprefix("task.path: "))
    if failed:
        raise unreadable("task.path", count(len(failed), ".txt file"), failed)
    return found


def _filled(texts: Sequence[Array], characters: int) -> Array:
    """(n, characters), with 0 in front of what is shorter: a network that reads on has the text's end at its end."""
    x = np.zeros((len(texts), characters), texts[0].dtype)
    for row, numbers in zip(x, texts, strict=True):
        row[characters - len(numbers) :] = numbers
    return x


def _lengths(lengths: Sequence[int], characters: int) -> list[str]:
    """Notes of the texts that are not as long as a task holds them."""
    changed = {
        "cut to": sum(length > characters for length in lengths),
        "filled up in front to": sum(length < characters for length in lengths),
    }
    return [f"{n:,} of {len(lengths):,} texts are {how} {characters:,} characters" for how, n in changed.items() if n]
