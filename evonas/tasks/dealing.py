"""Which training examples become a validation and a test split where they are not drawn one by one: groups that stay
together, and the latest in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evonas.errors import UserError
from evonas.seeding import stream
from evonas.tasks.task import Array

DRAWS = 32
"""Orders of the groups of which the one is taken that keeps sizes and classes best."""


class SplitBy(BaseModel):
    """A config's `split`: by what examples belong together, or follow each other.

    Examples that are alike in `by` stay in one part: a column of a table (a patient), or a regular expression on the
    path of a file below its class, whose first group, or all of it, names the speaker. Of the column `time` the latest
    training examples are the test split, those before them the validation split.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str | None = Field(
        default=None,
        description="what examples have in common that stay in one part: a column; of files a regular expression",
    )
    time: str | None = Field(
        default=None, description="a column of times: the latest are the test split, those before the validation split"
    )

    @model_validator(mode="after")
    def _one(self) -> "SplitBy":
        if (self.by is None) == (self.time is None):
            raise ValueError("takes either by or time")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """What each training example belongs to, or when it was.

    Args:
        values: (n,) texts or numbers, without gaps.
        in_time: they are times, that are sorted.
    """

    values: Array
    in_time: bool = False


def dealt(keys: Keys, y: Array, fractions: Sequence[float], seed: int) -> list[Array]:
    """Rows of each part.

    Args:
        keys: of the examples.
        y: (n,) numbers whose mix each part of groups keeps as well as it can.
        fractions: of the examples, those of the parts behind the first.
        seed: the same one deals the same groups.

    Returns:
        Sorted rows, of the rest first, then for each fraction.

    Raises:
        UserError: there are not as many groups, or times, as parts.
    """
    different, numbers = np.unique(keys.values, return_inverse=True)
    if len(different) <= len(fractions):
        what = "time" if keys.in_time else "by"
        raise UserError(
            f"task.split.{what}: {len(fractions) + 1} parts need as many different values; there are {len(different)}"
        )
    parts = _in_time(numbers, fractions) if keys.in_time else _grouped(numbers, y, fractions, seed)
    return [np.flatnonzero(parts == part) for part in range(len(fractions) + 1)]


def _in_time(numbers: Array, fractions: Sequence[float]) -> Array:
    """(n,) the part of each example; those of one time are in one part, and each part has a time."""
    counts, behind = np.bincount(numbers), len(fractions)
    middle = np.cumsum(counts) - counts / 2  # of the examples of each time
    bounds = len(numbers) * (1 - np.cumsum(fractions[::-1])[::-1])
    starts: list[int] = []
    for part, start in enumerate(np.searchsorted(middle, bounds).tolist(), start=1):
        least = starts[-1] + 1 if starts else 1
        starts.append(min(max(start, least), len(counts) - 1 - behind + part))
    return np.searchsorted(starts, np.arange(len(counts)), side="right")[numbers]


def _grouped(numbers: Array, y: Array, fractions: Sequence[float], seed: int) -> Array:
    """(n,) the part of each example: of some orders of the groups the one with the best sizes and mix of classes."""
    _, classes = np.unique(y, return_inverse=True)
    table = np.zeros((numbers.max() + 1, classes.max() + 1))
    np.add.at(table, (numbers, classes), 1)
    wanted = np.outer([1 - sum(fractions), *fractions], table.sum(0))
    random = stream(seed, "split")
    deals = [_dealt_once(random.permutation(len(table)), table.sum(1), fractions) for _ in range(DRAWS)]
    return min(deals, key=lambda parts: _off(parts, table, wanted))[numbers]


def _dealt_once(order: Array, sizes: Array, fractions: Sequence[float]) -> Array:
    """(groups,) the part of each group, the last parts filled first, each with one group or more."""
    parts, start = np.zeros(len(order), np.int64), 0
    for part in range(len(fractions), 0, -1):
        cumulated = np.cumsum(sizes[order[start:]])
        want = fractions[part - 1] * sizes.sum()
        count = int(np.argmin(np.abs(cumulated - want))) + 1
        count = min(count, len(order) - start - part)  # a group is left for each part to come
        parts[order[start : start + count]] = part
        start += count
    return parts


def _off(parts: Array, table: Array, wanted: Array) -> float:
    """How far the classes of each part are from their share, in shares of what is wanted."""
    found = np.stack([table[parts == part].sum(0) for part in range(len(wanted))])
    return float((np.abs(found - wanted) / np.maximum(wanted, 1)).max())


def notes_of(keys: Keys | None, split: SplitBy | None, drawn: Sequence[str]) -> list[str]:
    """What examples were split by, for people; nothing where no split is asked for.

    Args:
        keys: of the training examples.
        split: of the config.
        drawn: the parts that were taken out of them; those that are given are as they are.
    """
    if keys is None or split is None:
        return []
    if not drawn:
        return ["split is not used: valid and test are given"]
    if keys.in_time:
        behind = {"test": "the latest training examples are the test split", "valid": "those before them"}
        if drawn == ("valid",):
            return [f"split in time by {split.time}: the latest training examples are the validation split"]
        ends = f", {behind['valid']} the validation split" if "valid" in drawn else ""
        return [f"split in time by {split.time}: {behind['test']}{ends}"]
    given = "" if len(drawn) == 2 else f" of train and {drawn[0]}"
    return [f"split by {split.by}: {len(np.unique(keys.values)):,} groups, each of which is in one part{given}"]
