"""Tasks of the usual kinds, made of their examples: classification and regression."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import nn

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.records import Inputs, InputSpec, TaskSpec
from evonas.tasks.baselines import same_for_all
from evonas.tasks.class_folders import listed
from evonas.tasks.class_weights import ClassWeights, weights_of
from evonas.tasks.labels import labels, renumbered
from evonas.tasks.losses import ErrorInDeviations, WeightedCrossEntropy, cross_entropy, mean_squared_error
from evonas.tasks.metrics import CLASSIFICATION_METRICS, OF_TWO_CLASSES, REGRESSION_METRICS, directions
from evonas.tasks.repeated import repeated
from evonas.tasks.stored_array import Column, chunks
from evonas.tasks.task import Array, Loss, Split, Splits, Standardise, Task

LARGEST = 1e18
"""Value to predict: float32 holds the sum of many of its squares."""
T = TypeVar("T")
C = TypeVar("C", bound=Column)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a task does to stored examples.

    Args:
        module: its `prepare`.
        inputs: what that gives to a network.
    """

    module: nn.Module
    inputs: Inputs


def classification(
    name: str,
    splits: Splits,
    metrics: Sequence[str] = ("error",),
    classes: Sequence[str] = (),
    notes: Sequence[str] = (),
    *,
    class_weights: ClassWeights = None,
    prepared: Prepared | None = None,
) -> Task:
    """A task of telling classes 0, 1, ... apart, on standardised inputs.

    Args:
        name: for people.
        splits: examples in any number type, labels (n,) of whole numbers from 0.
        metrics: names in `CLASSIFICATION_METRICS`; the first is the main one.
        classes: what they are called, in order of their numbers.
        notes: what was guessed, changed or left out when the data were read.
        class_weights: of the classes in the loss: balanced, or a number for each.
        prepared: what is done to examples instead of standardising them.

    Raises:
        UserError: labels are not integers (n,) from 0, there is one class only, some number is not finite, or a metric
            is unknown, or not defined on the validation examples.
    """
    splits, classes, notes_of_labels = renumbered(
        splits.mapped(lambda part, split: Split(_examples(split, prepared), labels(split.y, part))), classes
    )
    notes, count = [*notes, *notes_of_labels], len(np.unique(splits.train.y))
    if count < 2:
        raise UserError(f"task {name}: all labels are alike; a classification needs two classes or more")
    chosen = {metric: make(count) for metric, make in chosen_metrics(metrics, CLASSIFICATION_METRICS).items()}
    notes += _absent(splits, classes, count)
    _check_two_classes(name, splits.valid, chosen)
    loss: Loss = cross_entropy
    if class_weights is not None:
        weights, note = weights_of(class_weights, splits.train.y, classes)
        loss, notes = WeightedCrossEntropy(weights), [*notes, note]
    ready = prepared or _standardised(splits)
    spec = TaskSpec(name, ready.inputs, (count,), directions(chosen))
    return Task(
        spec,
        splits,
        ready.module,
        loss,
        chosen,
        tuple(classes),
        (*notes, *repeated(splits)),
        baselines=same_for_all("majority class", chosen, splits, _majority(splits.train.y, count)),
        offered=tuple(CLASSIFICATION_METRICS),
    )


def regression(
    name: str,
    splits: Splits,
    metrics: Sequence[str] = ("mse",),
    notes: Sequence[str] = (),
    *,
    prepared: Prepared | None = None,
    in_units: bool = False,
) -> Task:
    """A task of predicting values (n,) or (n, outputs) from standardised inputs.

    Args:
        name: for people.
        splits: examples in any number type, values to predict.
        metrics: names in `REGRESSION_METRICS`; the first is the main one.
        notes: what was guessed, changed or left out when the data were read.
        prepared: what is done to examples instead of standardising them.
        in_units: networks learn deviations from the mean of the training targets, and give values.

    Raises:
        UserError: some number is not finite, what is predicted is alike in all training examples, where there are
            several, or a metric is unknown.
    """
    made = of_values(name, splits, metrics, notes, prepared=prepared, in_units=in_units)
    return check_varies(made, "splits.train.y") if len(made.splits.train) > 1 else made


def of_values(
    name: str,
    splits: Splits,
    metrics: Sequence[str],
    notes: Sequence[str],
    *,
    prepared: Prepared | None = None,
    in_units: bool = False,
) -> Task:
    """See `regression`; who calls this says by the names of its own what is wrong with the values."""
    splits = splits.mapped(lambda part, split: Split(_examples(split, prepared), _values(split.y)))
    chosen = chosen_metrics(metrics, REGRESSION_METRICS)
    ready = prepared or _standardised(splits)
    y = splits.train.y
    units = units_of(y) if in_units else ()
    loss: Loss = ErrorInDeviations(tuple(deviation for _, deviation in units)) if units else mean_squared_error
    spec = TaskSpec(name, ready.inputs, y.shape[1:], directions(chosen), units)
    middle = y.mean(0, dtype=np.float64).astype(np.float32)
    return Task(
        spec,
        splits,
        ready.module,
        loss,
        chosen,
        notes=(*notes, *repeated(splits)),
        baselines=same_for_all("training mean", chosen, splits, middle),
        offered=tuple(REGRESSION_METRICS),
    )


def check_varies(task: Task, argument: str = "") -> Task:
    """The task, of values that data hold.

    Args:
        task: of predicting values (n, outputs).
        argument: by which the values were given; "" where they are of a file.

    Raises:
        UserError: they are alike in all training examples, or one of several is.
    """
    y = task.splits.train.y
    alike = np.flatnonzero((y == y[:1]).all(0)).tolist()
    if not alike:
        return task
    value, what = f"{y[0, alike[0]]:.6g}", argument or "what is predicted"
    if len(alike) < y.shape[1]:
        several = f"columns of {argument}" if argument else f"{y.shape[1]:,} that are predicted"
        what = f"number {alike[0] + 1} of the {several}"
    elif len(alike) > 1:
        value = ", ".join(f"{number:.6g}" for number in y[0, :3])
    leave = "leave it out" if len(alike) < y.shape[1] else "there is nothing to learn"
    raise UserError(f"task {task.spec.name}: {what} is {value} in all training examples; {leave}")


def units_of(y: Array) -> tuple[tuple[float, float], ...]:
    """Mean and deviation of values (n, outputs), each; an output that is always the same has the deviation 1."""
    mean, deviation = y.mean(0, dtype=np.float64), y.std(0, dtype=np.float64)
    return tuple(zip(mean.tolist(), np.where(deviation > 0, deviation, 1.0).tolist(), strict=True))


def _absent(splits: Splits, classes: Sequence[str], count: int) -> list[str]:
    """A note for each part that judges networks without an example of some class."""
    found = []
    for part in ("valid", "test"):
        absent = np.setdiff1d(np.arange(count), splits.parts[part].y)
        if len(absent):
            called = [classes[label] if label < len(classes) else str(label) for label in absent.tolist()]
            found.append(f"{part} has no example of {listed(called)}: how well these are told is not in its metrics")
    return found


def _check_two_classes(name: str, valid: Split, chosen: Collection[str]) -> None:
    """
    Raises:
        UserError: a metric is of how two classes are told apart, and all validation examples are of one.
    """
    if (asked := sorted(OF_TWO_CLASSES & {*chosen})) and len(np.unique(valid.y)) < 2:
        raise UserError(
            f"task {name}: {asked[0]} is of two classes or more, and all {len(valid):,} validation examples are of "
            "one; give more examples of the others, or another metric"
        )


def _examples(split: Split, prepared: Prepared | None) -> Column | Mapping[str, Column]:
    """What a split has, which is checked where it will be standardised."""
    return split.x if prepared else _finite(_single(split.x))


def _standardised(splits: Splits) -> Prepared:
    x = _single(splits.train.x)
    return Prepared(Standardise(x), InputSpec(x.shape[1:]))


def _majority(y: Array, classes: int) -> Array:
    """(classes,) float32: the logarithms of the classes' shares of the training labels (n,), as logits."""
    shares: Array = np.log(np.bincount(y, minlength=classes) / len(y)).astype(np.float32)
    return shares


def chosen_metrics(names: Sequence[str], known: Mapping[str, T]) -> dict[str, T]:
    """The metrics of these names, in their order; UserError where one is unknown, is there twice, or there is none."""
    for name in names:
        if name not in known:
            raise UserError(f"task.metrics: {unknown(name, known)}")
    if not names or len(set(names)) < len(names):
        raise UserError(f"task.metrics: takes one name or more, each once, not {list(names)}")
    return {name: known[name] for name in names}


def _values(y: Array) -> Array:
    if y.ndim > 2 or not np.issubdtype(y.dtype, np.number):
        raise UserError(f"task: values must be numbers (n,) or (n, outputs), not {y.dtype} {y.shape}")
    largest = max(-float(y.min()), float(y.max())) if y.size and y.dtype.kind != "c" else 0.0
    if LARGEST < largest < np.inf:
        raise UserError(
            f"task: the values to predict reach {largest:.3g}, and float32 holds squares of {LARGEST:g} at most: give "
            "them in a larger unit"
        )
    return _finite(y.reshape(len(y), -1).astype(np.float32))


def _single(x: Column | Mapping[str, Column]) -> Column:
    if isinstance(x, Mapping):
        raise UserError(f"task: {', '.join(x)} are several inputs: give a Task of your own, with what prepares them")
    return x


def _finite(column: C) -> C:
    if np.issubdtype(column.dtype, np.floating) and not all(np.isfinite(part).all() for part in chunks(column)):
        raise UserError("task: the data hold NaN or infinite numbers; remove or replace those examples")
    return column
