"""Weights of classes in the loss, for data in which some class is rare. Metrics do not know of them."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from evonas.errors import UserError
from evonas.tasks.task import Array

ClassWeights = Literal["balanced"] | tuple[float, ...] | None
"""A config's `class_weights`: balanced, one number a class in their order, or none."""
LISTED = 12


def check_no_weights(wanted: ClassWeights) -> None:
    """Raises UserError where there are weights, of a task that predicts values."""
    if wanted is not None:
        raise UserError("task.class_weights: values have no classes to weigh; leave it out")


def weights_of(wanted: ClassWeights, y: Array, names: Sequence[str]) -> tuple[tuple[float, ...], str]:
    """The weights of the classes, and a note that says them.

    Args:
        wanted: balanced: n / (classes x examples of the class), as scikit-learn has it: all classes count alike.
        y: (n,) the classes of the training examples, 0, 1, ...
        names: of the classes, in order; empty where they have none.

    Raises:
        UserError: another number of weights than of classes, or one that is not above 0; balanced, where a class has
            no training example.
    """
    return weights_of_counts(wanted, np.bincount(y, minlength=len(names)), names)


def weights_of_counts(wanted: ClassWeights, counts: Array, names: Sequence[str]) -> tuple[tuple[float, ...], str]:
    """As `weights_of`, of (classes,) how many examples each class has."""
    called = [str(name) for name in names] or [str(number) for number in range(len(counts))]
    if wanted == "balanced":
        if lacking := [name for name, count in zip(called, counts, strict=True) if not count]:
            raise UserError(
                f"task.class_weights: balanced needs a training example of each class, and {', '.join(lacking)} has "
                "none: give numbers, or another task.split_seed"
            )
        weights = tuple((counts.sum() / (len(counts) * counts)).tolist())
    else:
        weights = tuple(map(float, wanted or ()))
    if len(weights) != len(counts) or not all(0 < weight < float("inf") for weight in weights):
        raise UserError(
            f"task.class_weights: takes balanced, or a number above 0 for each of the {len(counts)} classes "
            f"{', '.join(called[:LISTED])}{', ...' if len(called) > LISTED else ''}, not {list(weights)}"
        )
    each = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(called[:LISTED], weights, strict=False))
    return weights, f"the loss weighs classes: {each}{', ...' if len(called) > LISTED else ''}"
