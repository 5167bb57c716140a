"""Examples of validation and test that training has, too."""

import numpy as np

from evonas.tasks.task import Split, Splits

SHARE = 0.1
"""Of a part, from which on it is said: single examples that are alike are in most data."""


def repeated(splits: Splits) -> list[str]:
    """A note of parts that were drawn, where many of their examples are in train, too: input and target.

    Args:
        splits: of which those in memory are looked at.
    """
    if not splits.drawn or any(_stored(split) for split in splits.parts.values()):
        return []
    known, said = set(_hashes(splits.train)), list[str]()
    for part in splits.drawn:
        split = splits.parts[part]
        count = sum(each in known for each in _hashes(split))
        if count > SHARE * len(split):
            said.append(f"{count:,} of {len(split):,} examples of {part}")
    if not said:
        return []
    return [
        f"{' and '.join(said)} are in train, too, with the same input and target, so that they tell less: keep one of "
        "each, or name what they have in common (task.split), where they are not meant to be alike"
    ]


def _stored(split: Split) -> bool:
    return not all(isinstance(column, np.ndarray) for column in (*split.columns.values(), split.y))


def _hashes(split: Split) -> list[int]:
    """(n,) of each example."""
    columns = [np.ascontiguousarray(column).reshape(len(split), -1) for column in (*split.columns.values(), split.y)]
    return [hash(b"|".join(row.tobytes() for row in rows)) for rows in zip(*columns, strict=True)]
