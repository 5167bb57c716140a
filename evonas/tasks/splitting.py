"""From what a data set gives to the three splits that a task has."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evonas.errors import UserError
from evonas.seeding import stream
from evonas.tasks.dealing import Keys, dealt
from evonas.tasks.labels import labels
from evonas.tasks.stored_array import Column, source, together
from evonas.tasks.task import Array, Split, Splits

NAMES = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}
"""The names that each split goes by, the usual one first."""


def parts_among(names: Iterable[str], where: str) -> dict[str, str]:
    """Which of the names are of splits.

    Args:
        names: of folders, arrays or tables.
        where: they are, for messages.

    Returns:
        train, valid, test -> the name, of those that are there.

    Raises:
        UserError: two names are of one split.
    """
    found: dict[str, str] = {}
    for name in names:
        for part, known in NAMES.items():
            if name.lower() in known:
                if part in found:
                    raise UserError(f"{where}: {found[part]} and {name} are both names of the split {part}; keep one")
                found[part] = name
    return {part: found[part] for part in NAMES if part in found}


def labelled(given: Mapping[str, Split]) -> tuple[dict[str, Split], list[str]]:
    """The splits without a test split that has no targets, as competitions give one: -1 or NaN throughout.

    Returns:
        The splits that are left, and notes for people.
    """
    left = dict(given)
    if "test" in left and "train" in left:
        y = left["test"].y
        if y.dtype.kind == "i" and y.max() == y.min() < 0 <= left["train"].y.min():
            value = str(y.flat[0])
        elif y.dtype.kind == "f" and np.isnan(y).all():
            value = "NaN"
        else:
            return left, []
        del left["test"]
        return left, [f"the test split is left out: its targets are {value} throughout, so it has none"]
    return left, []


def completed(
    given: Mapping[str, Split],
    valid_fraction: float,
    test_fraction: float,
    seed: int,
    stratify: bool = True,
    keys: Keys | None = None,
) -> Splits:
    """The splits that are given, and those that are not taken out of the training examples.

    given: "train" and maybe "valid", "test". The fractions are of the training examples given; one whose split is
    given is not used. The same seed gives the same split. stratify: y holds classes, and every part keeps their mix.
    keys: of the training examples, where groups of them stay together or the latest are taken.
    """
    fractions = {"valid": valid_fraction, "test": test_fraction}
    missing = [name for name in fractions if name not in given]
    if stratify:
        given = {name: Split(split.x, labels(split.y, name)) for name, split in given.items()}
    parts = divided(given["train"], tuple(fractions[name] for name in missing), seed, stratify, keys)
    made = dict(zip(("train", *missing), parts, strict=True))
    return Splits(**{**given, **made}, drawn=tuple(missing))


def divided(
    pool: Split, fractions: tuple[float, ...], seed: int, stratify: bool = True, keys: Keys | None = None
) -> tuple[Split, ...]:
    """A pool in disjoint parts: one for each fraction, after the rest; each keeps the pool's mix of classes.

    Args:
        pool: the examples.
        fractions: of them, one a part.
        seed: the same one gives the same parts.
        stratify: y holds classes, whose mix is kept.
        keys: of the examples, where groups of them stay together or the latest are taken.

    Raises:
        ValueError: a fraction is not above 0, or nothing is left for the rest.
        UserError: there are too few groups or times.
    """
    check_fractions(fractions)
    if not fractions:
        return (pool,)
    groups = pool.y if stratify else np.zeros(len(pool.y), np.int64)
    if stratify and keys is None:
        check_classes(pool.y, fractions, "task: y", "give more examples of each, or larger fractions")
    if keys is not None:
        return tuple(pool[rows] for rows in dealt(keys, groups, fractions, seed))
    random = stream(seed, "split")
    parts: list[list[Array]] = [[] for _ in range(len(fractions) + 1)]
    for group in np.unique(groups):
        rows = random.permutation(np.flatnonzero(groups == group))
        bounds = np.rint(np.cumsum(fractions) * len(rows)).astype(int)
        for part, chosen in zip(parts, np.split(rows, bounds), strict=True):
            part.append(chosen)
    *given, rest = (pool[np.sort(np.concatenate(part))] for part in parts)
    return rest, *given


def check_classes(y: Array, fractions: Sequence[float], what: str, instead: str) -> None:
    """Make sure that a draw which keeps the mix of classes gives each part examples.

    Args:
        y: (n,) classes.
        fractions: of each class, one a part.
        what: they are, for messages.
        instead: what to do.

    Raises:
        ValueError: a fraction is not above 0, or nothing is left for the rest.
        UserError: the classes have too few examples each.
    """
    check_fractions(tuple(fractions))
    counts = np.unique(y, return_counts=True)[1]
    bounds = np.rint(np.outer(counts, np.cumsum((0, *fractions)))).sum(0)
    if (np.diff(bounds) == 0).any():
        single = f", {(counts == 1).sum():,} of which are there once" if (counts == 1).any() else ""
        raise UserError(
            f"{what} has {len(counts):,} classes in {len(y):,} examples{single}: too few of each for a split; {instead}"
        )


TARGETS = "\0targets"
"""Beside the names of inputs."""


def joined(first: Split, second: Split) -> Split:
    """The examples of two splits as one: of arrays in memory, of a stored one where it is the same of both.

    Raises:
        UserError: they are stored in different places.
    """
    others = second.columns
    columns: dict[str, Column] = {}
    for name, column in {**first.columns, TARGETS: first.y}.items():
        both = together(column, second.y if name == TARGETS else others[name])
        if both is None:
            raise UserError(
                "examples that are streamed from different files cannot be joined; train on the training examples alone"
            )
        columns[name] = both
    y = columns.pop(TARGETS)
    return Split(columns if isinstance(first.x, Mapping) else columns[""], y)


def are_joinable(first: Split, second: Split) -> bool:
    """Whether `joined` takes them."""
    others = second.columns
    pairs = [(source(column), source(others[name])) for name, column in first.columns.items()]
    pairs.append((source(first.y), source(second.y)))
    return all(a is b or (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) for a, b in pairs)


def check_fractions(fractions: tuple[float, ...]) -> None:
    """Raises ValueError where a fraction is not above 0, or nothing is left for the rest."""
    if any(not 0 < fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise ValueError(f"fractions must lie between 0 and 1 and leave a rest, not {fractions}")
