"""Classes of texts by what stands in them: the baseline of text classification, without a network."""

from collections.abc import Iterator

import numpy as np

from evonas.tasks.task import Array, Split, Splits

MOST_COUNTS = 2**22
"""Pairs of neighbours are counted where there are no more different ones, times classes; else single units."""
TEXTS = 2048
"""Looked at at a time."""


def posteriors(splits: Splits, vocabulary: int, filler: int, classes: int) -> dict[str, Array]:
    """Multinomial naive Bayes with add-one smoothing on pairs of neighbours (Manning, Raghavan and Schütze 2008, 13.2).

    Args:
        splits: of texts x (n, length) of whole numbers, and classes y (n,).
        vocabulary: numbers lie below it.
        filler: what short texts are filled up with, which is not counted.
        classes: how many.

    Returns:
        "valid" and "test" -> (n, classes) float32 logarithms of how likely each class is, but for a constant.
    """
    width = 2 if classes * vocabulary**2 <= MOST_COUNTS else 1
    size, y = vocabulary**width, np.asarray(splits.train.y)
    counts = np.ones(classes * size)
    for rows, features, there in _features(splits.train, vocabulary, filler, width):
        counts += np.bincount((y[rows][:, None] * size + features)[there], minlength=len(counts))
    shares = np.log(counts.reshape(classes, size) / counts.reshape(classes, size).sum(1, keepdims=True))
    prior = np.log(np.bincount(y, minlength=classes) / len(y))
    return {
        part: np.concatenate(
            [
                np.stack([(own[features] * there).sum(1) for own in shares], 1) + prior
                for _, features, there in _features(splits.parts[part], vocabulary, filler, width)
            ]
        ).astype(np.float32)
        for part in ("valid", "test")
    }


def _features(split: Split, vocabulary: int, filler: int, width: int) -> Iterator[tuple[Array, Array, Array]]:
    """Rows, their (n, places) whole numbers of pairs or single units, and which of these are no filling."""
    for start in range(0, len(split), TEXTS):
        rows = np.arange(start, min(start + TEXTS, len(split)))
        x, _ = split.read(rows)
        assert isinstance(x, np.ndarray)
        there, last = x != filler, x.astype(np.int64)
        if width == 1 or x.shape[1] == 1:
            yield rows, last, there
        else:
            yield rows, last[:, :-1] * vocabulary + last[:, 1:], there[:, :-1] & there[:, 1:]
