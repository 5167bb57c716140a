"""Task kind `characters`: the next character of a text, or its next byte or token."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.constructors import chosen_metrics
from evonas.tasks.losses import on
from evonas.tasks.metrics import TaskMetric, directions
from evonas.tasks.splitting import NAMES, check_fractions, parts_among
from evonas.tasks.task import Array, Split, Splits, Task
from evonas.tasks.texts import ngrams
from evonas.tasks.texts.units import Coding, coding, notes, read
from evonas.tasks.texts.vocabulary import COUNTED_BYTES, check_text_room, text_files


def characters(
    *,
    path: str,
    unit: str = "characters",
    context: int = 64,
    most_characters: int = 255,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    metrics: tuple[str, ...] | None = None,
) -> Task:
    """What the next character is, of a .txt file in UTF-8, or of a folder with train.txt and maybe valid.txt, test.txt.

    The text is cut into pieces of `context` characters, one after another. A network takes a piece as whole numbers and
    gives logits (context, vocabulary): at each place for the character that follows it, so what it says there must not
    depend on characters behind, as in the space `tcn`. Splits that are not given are the end of the training text: the
    last part is `test`, what stands before it `valid`. The vocabulary is that of the training part. In the place of
    characters there may be bytes, or the tokens of a tokenizer. Baselines count the training text: `unigrams`, how
    frequent units are (add-one), and `trigrams`, what follows two (interpolated after Witten and Bell).

    Args:
        path: the file or folder.
        unit: characters, bytes (of any file), or the path of a tokenizer.json, which takes the extra `tokenizers`.
        context: characters, or other units, that a network sees at once.
        most_characters: how many have a number of their own, the most frequent ones; all others share one.
        valid_fraction: of the training text, where there is no valid.txt.
        test_fraction: of the training text, where there is no test.txt.
        metrics: of `error`, the share of places where the next unit is not the most probable one, `bits_per_character`,
            the mean of -log2 of the probability of the next character, and `bits_per_byte`, the same for each byte of
            UTF-8, which compares units; the main one first; default: the first two of characters, else error and
            bits_per_byte.

    Raises:
        UserError: there is no such file, it is not UTF-8, it is empty, too short or of one unit throughout, or the unit
            is none.
    """
    if context < 1 or most_characters < 1:
        raise ValueError(f"context and most_characters take 1 or more, not {context} and {most_characters}")
    where = expanded(path, "task.path")
    texts, drawn = _texts(where, valid_fraction, test_fraction, unit)
    own = coding(unit, [texts["train"]], most_characters)
    known = metrics_of(own)
    chosen = chosen_metrics(metrics or tuple(known)[:2], known)
    numbers = {part: own.encoded(text) for part, text in texts.items()}
    splits = Splits(**{part: pieces(each, context, part, own.noun) for part, each in numbers.items()}, drawn=drawn)
    if len(np.unique(numbers["train"])) < 2:
        raise UserError(f"task.path: all {own.noun} of the training text in {where} are alike; nothing is to learn")
    inputs = InputSpec((context,), "int64", own.size)
    spec = TaskSpec(where.stem, inputs, (context, own.size), directions(chosen))
    said = tuple(notes(own, [texts["train"]], numbers))
    counted = ngrams.baselines(splits, own.size, np.array(own.widths), chosen)
    return Task(
        spec,
        splits,
        own.prepare(context, next=True),
        next_token_loss,
        chosen,
        own.names,
        said,
        baselines=counted,
        offered=tuple(known),
    )


def next_token_loss(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross entropy of logits (n, places, vocabulary) and tokens (n, places)."""
    return F.cross_entropy(output.flatten(0, 1), target.flatten(), label_smoothing=label_smoothing)


def wrong_tokens(output: Tensor, target: Tensor) -> Tensor:
    """(n,) the share of places whose largest logit is not that of the token."""
    return (output.argmax(2) != target).float().mean(1)


def bits(output: Tensor, target: Tensor) -> Tensor:
    """(n,) cross entropy in bits, mean over the places."""
    return F.cross_entropy(output.transpose(1, 2), target, reduction="none").mean(1) / math.log(2)


@dataclass(frozen=True, slots=True)
class BitsAndBytes:
    """(n, 2) of each example the cross entropy in bits and the bytes of its target, each the sum over the places.

    Args:
        widths: bytes of each number.
    """

    widths: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Of a batch of logits (n, places, numbers) and numbers (n, places)."""
        return torch.stack([bits(output, target) * target.shape[1], on(self.widths, output.device)[target].sum(1)], 1)


def ratio(statistics: Tensor) -> Tensor:
    """The sum of the first statistic over that of the second."""
    sums = statistics.double().sum(0)
    return sums[0] / sums[1]


def metrics_of(own: Coding) -> dict[str, TaskMetric]:
    """What can be known of the next unit. Bits per byte are a mean where a unit is a byte."""
    single = set(own.widths) == {1.0}
    per_byte = TaskMetric(bits) if single else TaskMetric(BitsAndBytes(own.widths), ratio)
    per_character = {"bits_per_character": TaskMetric(bits)} if own.noun == "characters" else {}
    return {"error": TaskMetric(wrong_tokens), **per_character, "bits_per_byte": per_byte}


def pieces(numbers: Array, context: int, part: str, noun: str = "characters") -> Split:
    """Units in pieces, x (n, context), and those that follow them, y (n, context) int64.

    Raises:
        UserError: there are not enough for one piece.
    """
    count = (len(numbers) - 1) // context
    if count < 1:
        raise UserError(
            f"task: {part} has {len(numbers):,} {noun}, and a piece takes {context + 1:,}: give a longer text or a "
            "smaller context"
        )
    x, y = (numbers[start : start + count * context].reshape(count, context) for start in (0, 1))
    return Split(np.ascontiguousarray(x), y.astype(np.int64))


def _texts(
    where: Path, valid_fraction: float, test_fraction: float, unit: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """train, valid and test -> text, and those of them that are taken from the training text."""
    files = text_files(where)
    parts = parts_among(files, f"task.path: {where}")
    if "train" not in parts:
        raise UserError(f"task.path: {where} has no file train.txt ({', '.join(files) or 'no .txt file'})")
    check_text_room([files[name] for name in parts.values()], COUNTED_BYTES)
    texts = {part: read(files[name], unit) for part, name in parts.items()}
    fractions = {"test": test_fraction, "valid": valid_fraction}
    missing = [part for part in fractions if part not in texts]
    check_fractions(tuple(fractions[part] for part in missing))
    whole = texts["train"]
    end = len(whole)
    for part in missing:  # from the end of the text
        start = end - round(fractions[part] * len(whole))
        texts[part], end = whole[start:end], start
    texts["train"] = whole[:end]
    return {part: texts[part] for part in NAMES}, tuple(part for part in NAMES if part in missing)
