"""What follows what in a text, by counting: the baseline of language models, without a network."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evonas.tasks.task import Array, Baselines, Split, Splits

COUNTED = 4_000_000
"""Units of the training text that are counted, at most: its last ones."""


@dataclass(frozen=True, slots=True, eq=False)
class _Followers:
    """How often units follow contexts.

    Args:
        keys: (k,) context x vocabulary + unit of those that are there, ascending.
        counts: (k,) of each.
        contexts: (c,) those that are there, ascending.
        totals: (c,) units behind each.
        kinds: (c,) different ones.
        favourites: (c,) the most frequent one.
    """

    keys: Array
    counts: Array
    contexts: Array
    totals: Array
    kinds: Array
    favourites: Array

    @classmethod
    def of(cls, contexts: Array, units: Array, vocabulary: int) -> "_Followers":
        keys, counts = np.unique(contexts * vocabulary + units, return_counts=True)
        known, starts, kinds = np.unique(keys // vocabulary, return_index=True, return_counts=True)
        order = np.lexsort((-counts, keys // vocabulary))  # of each context the most frequent one first
        return cls(keys, counts, known, np.add.reduceat(counts, starts), kinds, keys[order][starts] % vocabulary)

    def interpolated(self, contexts: Array, units: Array, vocabulary: int, lower: Array) -> Array:
        """(n,) probabilities of units behind contexts: Witten and Bell (1991), from those of shorter contexts."""
        count = _found(self.keys, self.counts, contexts * vocabulary + units)
        total, kinds = (_found(self.contexts, each, contexts) for each in (self.totals, self.kinds))
        found: Array = np.where(total > 0, (count + kinds * lower) / np.maximum(total + kinds, 1), lower)
        return found

    def favourite(self, contexts: Array, lower: Array) -> Array:
        """(n,) the most frequent unit behind contexts, and `lower` behind those that are not known."""
        known = _found(self.contexts, self.totals, contexts) > 0
        found: Array = np.where(known, _found(self.contexts, self.favourites, contexts), lower)
        return found


def baselines(splits: Splits, vocabulary: int, widths: Array, metrics: Iterable[str]) -> Baselines:
    """Two models that count the training text: how frequent units are, and what follows two.

    A unit by itself has its count and one more (add-one); behind one and behind two units probabilities are
    interpolated after Witten and Bell. They see what a network sees: nothing before a piece. `error` is that of the
    most frequent unit behind the longest context that is known.

    Args:
        splits: of pieces x (n, context) and what follows, y (n, context).
        vocabulary: numbers lie below it.
        widths: (vocabulary,) bytes of each.
        metrics: of `error`, `bits_per_character`, `bits_per_byte`.

    Returns:
        See `baselines.baseline`.
    """
    x, y = _pieces(splits.train)
    text = np.append(x.reshape(-1), y[-1, -1])[-COUNTED:]
    counted = _Counted(
        np.bincount(text, minlength=vocabulary) + 1,
        _Followers.of(text[:-1], text[1:], vocabulary),
        _Followers.of(text[:-2] * vocabulary + text[1:-1], text[2:], vocabulary),
        vocabulary,
    )
    found: dict[str, dict[str, float]] = {}
    for part, key in (("valid", "{}"), ("test", "test[{}]")):
        x, y = _pieces(splits.parts[part])
        for name, (probability, favourite) in counted.predicted(x, y).items():
            values = _values(probability, favourite == y, widths[y])
            found.setdefault(name, {}).update({key.format(metric): values[metric] for metric in metrics})
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """A text: how often each unit is there, and one more, and what follows one unit and two."""

    single: Array
    one: _Followers
    two: _Followers
    vocabulary: int

    def predicted(self, x: Array, y: Array) -> dict[str, tuple[Array, Array]]:
        """Name -> of each place of pieces (n, context) the probability of what follows, and what is thought to."""
        size = self.vocabulary
        alone, favourite = self.single[y] / self.single.sum(), np.full(y.shape, self.single.argmax())
        pair, behind_one = self.one.interpolated(x, y, size, alone), self.one.favourite(x, favourite)
        second = np.arange(x.shape[1]) > 0  # at the first place there is one unit to go by
        two = np.roll(x, 1, 1) * size + x
        triple = np.where(second, self.two.interpolated(two, y, size, pair), pair)
        behind_two = np.where(second, self.two.favourite(two, behind_one), behind_one)
        return {"unigrams": (alone, favourite), "trigrams": (triple, behind_two)}


def _pieces(split: Split) -> tuple[Array, Array]:
    """(n, context) int64 units, and what follows each."""
    x, y = split.read(np.arange(len(split)))
    assert isinstance(x, np.ndarray)
    return x.astype(np.int64), y.astype(np.int64)


def _found(keys: Array, values: Array, wanted: Array) -> Array:
    """The value of each key that is wanted; 0 of one that is not there. Keys ascend."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Array = np.where(keys[places] == wanted, values[places], 0)
    return found


def _values(probability: Array, right: Array, widths: Array) -> dict[str, float]:
    bits = -np.log2(probability)
    return {
        "error": float(1 - right.mean()),
        "bits_per_character": float(bits.mean()),
        "bits_per_byte": float(bits.sum() / widths.sum()),
    }
