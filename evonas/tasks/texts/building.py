"""From texts and their classes to a task: what `text_folder` and `text_table` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evonas.records import InputSpec, TaskSpec
from evonas.tasks.baselines import baseline
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.dealing import Keys, SplitBy, notes_of
from evonas.tasks.metrics import directions
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task
from evonas.tasks.texts import naive_bayes
from evonas.tasks.texts.units import Coding, coding
from evonas.tasks.texts.units import notes as notes_on


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts, as `units.read` gives them, and the number of the class of each."""

    texts: Sequence[str]
    classes: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """How splits that are not given are drawn from the training examples.

    Args:
        valid: share of them.
        test: share of them.
        seed: of the draw.
        split: of the config.
        keys: of the training examples, where groups of them stay together or the latest are taken.
    """

    valid: float
    test: float
    seed: int
    split: SplitBy | None = None
    keys: Keys | None = None


def text_task(
    name: str,
    given: Mapping[str, Labelled],
    classes: Sequence[str],
    units: tuple[str, int, int],
    drawn: Drawn,
    metrics: Sequence[str],
    class_weights: ClassWeights,
    notes: Sequence[str],
) -> Task:
    """A classification of texts as whole numbers.

    Args:
        name: for people.
        given: part -> its texts.
        classes: what they are called, in order of their numbers.
        units: what a text is made of, how many of these a network sees, and how many characters have a number.
        drawn: how other splits are made.
        metrics: the main one first.
        class_weights: of the classes in the loss.
        notes: what was guessed, changed or left out when the texts were read.

    Raises:
        ValueError: a number of units is less than 1.
        UserError: the unit is none, or texts are empty.
    """
    unit, length, most = units
    if length < 1 or most < 1:
        raise ValueError(f"characters and most_characters take 1 or more, not {length} and {most}")
    of_characters = unit == "characters"  # of which nothing behind the cut is counted
    read = {part: [text[:length] if of_characters else text for text in own.texts] for part, own in given.items()}
    own = coding(unit, read["train"], most)
    whole = {part: [own.encoded(text) for text in texts] for part, texts in read.items()}
    lengths = [len(text) for part in given.values() for text in part.texts] if of_characters else _lengths(whole)
    numbers = {part: [each[:length] for each in texts] for part, texts in whole.items()}
    made = {
        part: Split(_filled(texts, length, own), np.array(given[part].classes, np.int64))
        for part, texts in numbers.items()
    }
    joined = {part: np.concatenate(texts) for part, texts in numbers.items()}
    splits = completed(made, drawn.valid, drawn.test, drawn.seed, keys=drawn.keys)
    said = [*notes, *notes_of(drawn.keys, drawn.split, splits.drawn)]
    said += [*_changed(lengths, length, own.noun), *notes_on(own, read["train"], joined)]
    task = classification(name, splits, metrics, classes, said, class_weights=class_weights)
    inputs = InputSpec((length,), "int64", own.size)
    spec = TaskSpec(task.spec.name, inputs, task.spec.output_shape, directions(task.metrics))
    found = naive_bayes.posteriors(task.splits, own.size, own.filler, task.spec.output_shape[0])
    baselines = {**task.baselines, **baseline("naive Bayes", task.metrics, task.splits, found)}
    return replace(task, spec=spec, prepare=own.prepare(length), baselines=baselines)


def _lengths(whole: Mapping[str, Sequence[Array]]) -> list[int]:
    return [len(numbers) for texts in whole.values() for numbers in texts]


def _filled(texts: Sequence[Array], length: int, own: Coding) -> Array:
    """(n, length), filled up in front of what is shorter: a network that reads on has the text's end at its end."""
    x = np.full((len(texts), length), own.filler, texts[0].dtype)
    for row, numbers in zip(x, texts, strict=True):
        row[length - len(numbers) :] = numbers
    return x


def _changed(lengths: Sequence[int], length: int, noun: str) -> list[str]:
    """Notes of the texts that are not as long as a task holds them."""
    changed = {
        "cut to": sum(each > length for each in lengths),
        "filled up in front to": sum(each < length for each in lengths),
    }
    return [f"{n:,} of {len(lengths):,} texts are {how} {length:,} {noun}" for how, n in changed.items() if n]
