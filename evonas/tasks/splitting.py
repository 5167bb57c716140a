"""From what a data set gives to the three splits that a task has."""

from collections.abc import Mapping

from evonas.tasks.task import Split, Splits, divided, labels


def completed(
    given: Mapping[str, Split], valid_fraction: float, test_fraction: float, seed: int, stratify: bool = True
) -> Splits:
    """The splits that are given, and those that are not taken out of the training examples.

    given: "train" and maybe "valid", "test". The fractions are of the training examples given; one whose split is
    given is not used. The same seed gives the same split. stratify: y holds classes, and every part keeps their mix.
    """
    fractions = {"valid": valid_fraction, "test": test_fraction}
    missing = [name for name in fractions if name not in given]
    if stratify:
        given = {name: Split(split.x, labels(split.y)) for name, split in given.items()}
    parts = divided(given["train"], tuple(fractions[name] for name in missing), seed, stratify)
    made = dict(zip(("train", *missing), parts, strict=True))
    return Splits(**{**given, **made})
