"""Task kind `npz`: arrays in one file."""

import zipfile
from pathlib import Path
from typing import Literal

import numpy as np

from evonas.errors import UserError
from evonas.loading import unknown
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task, classification, regression

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA: a last axis this long is taken for the channels."""


def npz(
    *,
    path: str,
    target: Literal["classes", "values"] = "classes",
    layout: Literal["auto", "channels_first", "channels_last", "as_is"] = "auto",
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] | None = None,
) -> Task:
    """A file of `numpy.savez` with x_train, y_train and, where there are such splits, x_valid, y_valid, x_test, y_test.

    Args:
        path: the file.
        target: what y holds, integer classes (n,) from 0, or values (n,) or (n, outputs) to predict.
        layout: of x. auto: (n, height, width) gets one channel; (n, a, b, c) is channels last where c is 1, 3 or 4
            and a is not; anything else is taken as it is, e.g. (n, features). as_is: whatever the axes are.
        valid_fraction: of the training examples, for a split that is not in the file.
        test_fraction: of the training examples, for a split that is not in the file.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first; default: error, or mse of values.

    Raises:
        UserError: no such file, an array missing or of Python objects, or shapes that do not fit.
    """
    arrays = _arrays(Path(path))
    given = {
        part: Split(images_first(arrays[f"x_{part}"], layout), arrays[f"y_{part}"])
        for part in ("train", "valid", "test")
        if f"x_{part}" in arrays
    }
    shapes = {split.x.shape[1:] for split in given.values()}
    if len(shapes) > 1:
        raise UserError(f"task.path: examples of x_train, x_valid, x_test must have one shape, not {sorted(shapes)}")
    classes = target == "classes"
    splits = completed(given, valid_fraction, test_fraction, split_seed, stratify=classes)
    name = Path(path).stem
    if classes:
        return classification(name, splits, metrics or ("error",))
    return regression(name, splits, metrics or ("mse",))


def images_first(x: Array, layout: str = "auto") -> Array:
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


def _arrays(path: Path) -> dict[str, Array]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise UserError(f"task.path: {path} holds one array without a name: write it with numpy.savez")
        with loaded as file:
            arrays = {name: _array(file, name, path) for name in file.files if name[:2] in ("x_", "y_")}
    except FileNotFoundError:
        raise UserError(f"task.path: no file {path.absolute()}") from None
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise UserError(f"task.path: {path} is no .npz file of plain arrays: {str(error).splitlines()[0]}") from None
    _check_names(set(arrays), path)
    return arrays


def _array(file: "np.lib.npyio.NpzFile", name: str, path: Path) -> Array:
    try:
        array: Array = file[name]
    except ValueError:
        raise UserError(
            f"task.path: {name} in {path} holds Python objects (examples of different shapes?); pad them to one shape"
        ) from None
    if name.startswith("x_") and (array.ndim < 2 or not _numeric(array)):
        raise UserError(f"task.path: {name} must be numbers (n, ...), not {array.dtype} {array.shape}")
    return array


def _numeric(array: Array) -> bool:
    return array.dtype == bool or (np.issubdtype(array.dtype, np.number) and not np.iscomplexobj(array))


def _check_names(names: set[str], path: Path) -> None:
    needed = {"x_train", "y_train"} | {other for name in names if (other := "xy"[name[0] == "x"] + name[1:])}
    allowed = {f"{axis}_{part}" for axis in "xy" for part in ("train", "valid", "test")}
    for name in sorted(names - allowed):
        raise UserError(f"task.path: {path}: {unknown(name, allowed)}")
    for name in sorted(needed - names):
        there = ", ".join(sorted(names)) or "none of the arrays expected"
        raise UserError(f"task.path: {path} has no array {name} (it has {there})")
