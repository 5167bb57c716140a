"""Task kind `npz`: arrays in one file."""

import zipfile
from pathlib import Path

import numpy as np

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.arrays.building import Layout, Target, assembled, check_array, check_names, images_first
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.dealing import SplitBy
from evonas.tasks.room import STREAMED, check_room
from evonas.tasks.task import Array, Task


def npz(
    *,
    path: str,
    target: Target = "classes",
    layout: Layout = "auto",
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
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
        split: {by: ARRAY}: training examples that are alike in an array (n,) of the file are in one part, such as a
            patient's; or {time: ARRAY}: the latest are the test split.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, for a split that is not in the file.
        test_fraction: of the training examples, for a split that is not in the file.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first; default: error, or mse of values.

    Raises:
        UserError: no such file, an array missing or of Python objects, shapes that do not fit, or no room in memory.
    """
    file = expanded(path, "task.path")
    arrays, beside = _arrays(file, split)
    x = {name: images_first(array, layout) for name, array in arrays.items() if name.startswith("x_")}
    fractions = valid_fraction, test_fraction
    return assembled(file.stem, x, arrays, target, fractions, split_seed, metrics, class_weights, split, beside)


def _arrays(path: Path, split: SplitBy | None) -> tuple[dict[str, Array], dict[str, Array | None]]:
    """Those of examples, and those beside them, of which the one that `split` names is read."""
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)  # of one array without a name nothing is read
        if isinstance(loaded, np.ndarray):
            raise UserError(f"task.path: {path} holds one array without a name: write it with numpy.savez")
        with loaded as file:
            _check_room(path, file)
            others = [name for name in file.files if name[:2] not in ("x_", "y_")]
            arrays = {name: _array(file, name, path) for name in file.files if name not in others}
            wanted = (split.by, split.time) if split else ()
            beside = {name: _array(file, name, path) if name in wanted else None for name in others}
    except FileNotFoundError:
        raise UserError(f"task.path: no file {path.absolute()}") from None
    except (ValueError, EOFError):  # numpy takes what it does not know for a pickle
        raise UserError(f"task.path: {path} is not an npz file: write it with numpy.savez") from None
    except OSError as error:
        raise UserError(f"task.path: {path} cannot be read: {error.strerror or error}") from None
    except zipfile.BadZipFile as error:
        raise UserError(f"task.path: {path} is a damaged npz file: {error}; copy or write it again") from None
    check_names(arrays, path, others)
    return arrays, beside


def _check_room(path: Path, file: "np.lib.npyio.NpzFile") -> None:
    """
    Raises:
        UserError: memory has no room for the file's arrays, which may be compressed in it.
    """
    entries = file.zip.infolist() if file.zip else []
    size = sum(entry.file_size for entry in entries)
    check_room("task.path", f"the arrays of {path}", size, not {"x_valid", "x_test"} <= {*file.files}, STREAMED)


def _array(file: "np.lib.npyio.NpzFile", name: str, path: Path) -> Array:
    try:
        array: Array = file[name]
    except ValueError:
        raise UserError(
            f"task.path: {name} in {path} holds Python objects (examples of different shapes?); pad them to one shape"
        ) from None
    check_array(name, array)
    return array
