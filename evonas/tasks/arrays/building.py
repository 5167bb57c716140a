"""From arrays by name, x_train, y_train and so on, to a task: what the kinds `npz` and `npy` share."""

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.arrays.keys import keys_of_array
from evonas.tasks.class_folders import listed
from evonas.tasks.class_weights import ClassWeights, check_no_weights
from evonas.tasks.constructors import check_varies, classification, of_values
from evonas.tasks.dealing import SplitBy, notes_of
from evonas.tasks.splitting import NAMES, completed, labelled, parts_among
from evonas.tasks.stored_array import Column
from evonas.tasks.task import Array, Split, Task

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA: a last axis this long is taken for the channels."""
Target = Literal["classes", "values"]
Layout = Literal["auto", "channels_first", "channels_last", "as_is"]


def assembled(
    name: str,
    x: Mapping[str, Column],
    y: Mapping[str, Array],
    target: Target,
    fractions: tuple[float, float],
    split_seed: int,
    metrics: tuple[str, ...] | None,
    class_weights: ClassWeights = None,
    split: SplitBy | None = None,
    beside: Mapping[str, Array | None] = MappingProxyType({}),
) -> Task:
    """A task from its arrays.

    Args:
        name: for people.
        x: "x_train" and maybe "x_valid", "x_test", or what else `NAMES` calls them.
        y: a y for each x.
        target: what y holds.
        fractions: of the training examples, for a validation and a test split that are not given.
        split_seed: the same one makes the same splits.
        metrics: the main one first; default: error, or mse of values.
        class_weights: of the classes in the loss.
        split: what training examples belong to, or when they were: the name of an array.
        beside: other arrays by name; all but that one may be left unread.

    Raises:
        UserError: shapes do not fit, or there are no classes or values in the arrays.
    """
    parts = parts_among((each.removeprefix("x_") for each in x), "task.path")
    given = {part: Split(x[f"x_{own}"], y[f"y_{own}"]) for part, own in parts.items()}
    shapes = {column.shape[1:] for column in x.values()}
    if len(shapes) > 1:
        raise UserError(f"task.path: examples of {', '.join(x)} must have one shape, not {sorted(shapes)}")
    given, notes = labelled(given)
    keys = keys_of_array(split, beside, len(given["train"]), name)
    splits = completed(given, *fractions, split_seed, stratify=target == "classes", keys=keys)
    notes += notes_of(keys, split, splits.drawn)
    if target == "classes":
        return classification(name, splits, metrics or ("error",), notes=notes, class_weights=class_weights)
    check_no_weights(class_weights)
    return check_varies(of_values(name, splits, metrics or ("mse",), notes))


def images_first(x: Array, layout: Layout = "auto") -> Array:
    """x with its channels before height and width, contiguous; see `npz` for the rule."""
    if layout == "auto":
        last = x.ndim == 4 and x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS
        layout = "channels_last" if last else "channels_first"
    if layout == "as_is":
        return np.ascontiguousarray(x)
    if x.ndim == 3:
        x = x[:, None]
    elif layout == "channels_last":
        x = np.moveaxis(x, -1, 1)
    return np.ascontiguousarray(x)


def check_names(names: Collection[str], path: Path, others: Collection[str] = ()) -> None:
    """
    Args:
        names: of arrays whose names begin as those of a task.
        path: where they are.
        others: what else is there, which is named where something is missing.

    Raises:
        UserError: there is no x_train or y_train, one of a pair is missing, or a name means nothing.
    """
    names = set(names)
    train = {f"{axis}_{part}" for axis in "xy" for part in NAMES["train"]}
    needed = {other for name in names if (other := "xy"[name[0] == "x"] + name[1:])}
    needed |= set() if names & train else {"x_train", "y_train"}
    allowed = {f"{axis}_{part}" for axis in "xy" for known in NAMES.values() for part in known}
    for name in sorted(names - allowed):
        raise UserError(f"task.path: {path}: {unknown(name, allowed)}")
    for name in sorted(needed - names):
        there = listed(sorted(names) + sorted(others)) or "none"
        raise UserError(f"task.path: {path} has no array {name} (it has {there})")


def check_array(name: str, array: Column) -> None:
    """
    Raises:
        UserError: x is no array of numbers with an axis of examples and another, or y has no axis.
    """
    if name.startswith("x_") and (len(array.shape) < 2 or not _numeric(array.dtype)):
        raise UserError(f"task.path: {name} must be numbers (n, ...), not {array.dtype} {array.shape}")
    if not array.shape:
        raise UserError(f"task.path: {name} must hold a target for each example (n,), not a single number")


def _numeric(dtype: "np.dtype[np.generic]") -> bool:
    return dtype.kind in "biuf"
