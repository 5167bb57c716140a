"""Task kind `npy`: arrays of any size, each in a file of its own; what networks take in stays on the disk."""

from pathlib import Path
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.arrays.building import Layout, Target, assembled, check_array, check_names, images_first
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.dealing import SplitBy
from evonas.tasks.stored_array import held_dtype
from evonas.tasks.task import Array, Task


def npy(
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
    """A folder of `numpy.save` files x_train.npy, y_train.npy and, where there are such splits, x_valid.npy and so on.

    The x may be larger than memory: the driver reads them once, for their statistics, a worker batch by batch. On a
    cluster the folder must lie at the same path on all machines.

    Args:
        path: the folder.
        target: what y holds, integer classes (n,) from 0, or values (n,) or (n, outputs) to predict.
        layout: of x, as for `npz`; channels that stand last are moved in each batch, so store them first.
        split: {by: ARRAY}: training examples that are alike in an array (n,) ARRAY.npy are in one part, such as a
            patient's; or {time: ARRAY}: the latest are the test split.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, for a split that is not in the folder.
        test_fraction: of the training examples, for a split that is not in the folder.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first; default: error, or mse of values.

    Raises:
        UserError: no such folder, an array missing or of Python objects, or shapes that do not fit.
    """
    folder = expanded(path, "task.path").absolute()
    files, others = _files(folder)
    check_names(files, folder)
    for name, file in files.items():
        check_array(name, _opened(file))
    x = {name: NpyFile(file, layout) for name, file in files.items() if name.startswith("x_")}
    y = {name: np.array(_opened(file)) for name, file in files.items() if name.startswith("y_")}
    wanted = (split.by, split.time) if split else ()
    beside = {name: np.array(_opened(file)) if name in wanted else None for name, file in others.items()}
    fractions = valid_fraction, test_fraction
    return assembled(folder.name, x, y, target, fractions, split_seed, metrics, class_weights, split, beside)


class NpyFile:
    """The array of a .npy file, mapped into the memory of each process that reads it.

    Mapped pages are the file's: they count in no worker's share of memory, and the kernel takes them back where it
    needs to. A pickle holds the path and what the file was like, and no data.

    Args:
        path: of the file.
        layout: of images; see `npz`.

    Raises:
        UserError: there is no such file, or it cannot be mapped.
    """

    def __init__(self, path: str | Path, layout: Layout = "as_is") -> None:
        self.path, self.layout = Path(path).absolute(), layout
        stored = _opened(self.path)
        self._header = stored.shape, stored.dtype
        example = images_first(np.empty((0, *stored.shape[1:]), np.uint8), layout)
        self._shape: tuple[int, ...] = (len(stored), *example.shape[1:])
        self._mapped: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, ...), images with their channels first."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the file, or the one that PyTorch can hold its numbers in."""
        return held_dtype(self._header[1])

    def __len__(self) -> int:
        return self._shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": None}

    def rows(self, indices: Array) -> Array:
        """Read some examples.

        Args:
            indices: (k,) int64.

        Returns:
            (k, ...) in memory of its own.

        Raises:
            UserError: on this machine the file is not there, or not as it was.
        """
        if self._mapped is None:
            self._mapped = _opened(self.path)
            if (self._mapped.shape, self._mapped.dtype) != self._header:
                raise UserError(f"task.path: {self.path} is not the file that the search began with")
        return images_first(self._mapped[indices], self.layout).astype(self.dtype, copy=False)


def _files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Name -> file, of arrays of examples, and of others."""
    if not folder.is_dir():
        wanted = "kind npy takes a folder with x_train.npy, y_train.npy"
        raise UserError(
            f"task.path: {folder} is a file; {wanted}" if folder.exists() else f"task.path: no folder {folder}"
        )
    found = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix == ".npy"}
    own = {name: file for name, file in found.items() if name[:2] in ("x_", "y_")}
    return own, {name: file for name, file in found.items() if name not in own}


def _opened(path: Path) -> Array:
    """The array of a file, mapped read-only."""
    try:
        found: Array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise UserError(f"task.path: no file {path}; it must lie there on each machine that trains") from None
    except (OSError, ValueError, EOFError) as error:
        why = str(error).splitlines()[0]
        if "Python objects" in why:
            why = "it holds Python objects (examples of different shapes?); pad them to one shape"
        raise UserError(f"task.path: {path} cannot be mapped into memory: {why}") from None
    if not found.flags.c_contiguous:
        raise UserError(
            f"task.path: {path} is stored in Fortran order, where an example lies all over the file: "
            "numpy.save(path, numpy.ascontiguousarray(x)) stores it row by row"
        )
    return found
