"""Task kind `npy`: what is stored in files is what `npz` holds in memory, and is not read before it is wanted."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.agreement import HASHED_BYTES, data_digest
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.batches.streaming import Streaming
from evonas.runtime.sandbox.packing import pack
from evonas.tasks import TASKS, Split, Splits, Task, classification, regression
from evonas.tasks.arrays.npy import NpyFile
from evonas.tasks.stored_array import Selected, chunks, taken

X = np.random.default_rng(0).integers(0, 256, (60, 3, 5, 5)).astype(np.uint8)
Y = np.arange(60) % 3


def saved(folder: Path, **arrays: Any) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def npy(folder: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": "npy", "path": str(folder), **options}), "task")


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (X, {}),
        (np.moveaxis(X, 1, -1), {}),
        (X[:, 0], {}),
        (X, {"layout": "channels_last"}),
        (X[:, 0], {"layout": "as_is"}),
        (X.astype(np.float32), {}),
        (X.astype(">f8"), {}),
        (X > 100, {}),
        (X.reshape(60, -1), {"target": "values"}),
        (X, {"valid_fraction": 0.3, "split_seed": 5, "metrics": ["f1", "error"]}),
    ],
)
def test_a_task_from_a_folder_is_that_from_one_file(tmp_path: Path, x: Any, options: dict[str, Any]) -> None:
    x = np.ascontiguousarray(x)
    found = npy(saved(tmp_path / "some", x_train=x, y_train=Y), **options)
    np.savez(tmp_path / "some.npz", x_train=x.astype(x.dtype.newbyteorder("=")), y_train=Y)
    given = {"kind": "npz", "path": str(tmp_path / "some.npz"), **options}
    expected = construct(TASKS, PartConfig.model_validate(given), "task")
    assert found.spec == expected.spec
    for name in ("train", "valid", "test"):
        split, held = getattr(found.splits, name), getattr(expected.splits, name)
        assert split.is_stored
        assert not held.is_stored
        read, _ = split.read(np.arange(len(split)))
        assert (split.x.shape, split.x.dtype) == (held.x.shape, held.x.dtype)
        assert np.array_equal(read, held.x)
        assert np.array_equal(split.y, held.y)
        assert split.nbytes == held.nbytes
    assert all(
        np.array_equal(buffer, other)
        for buffer, other in zip(found.prepare.buffers(), expected.prepare.buffers(), strict=True)
    )
    assert data_digest(found) == data_digest(expected)
    assert isinstance(to_device(found, "cpu").valid, Streaming)


def test_splits_in_the_folder_are_taken_as_they_are(tmp_path: Path) -> None:
    parts = {"train": slice(30), "valid": slice(30, 50), "test": slice(50, 60)}
    arrays = {f"{axis}_{name}": a[rows] for name, rows in parts.items() for axis, a in (("x", X), ("y", Y))}
    task = npy(saved(tmp_path, **arrays, notes=X))
    for name, rows in parts.items():
        x, y = getattr(task.splits, name).read(np.arange(rows.stop - (rows.start or 0)))
        assert np.array_equal(x, X[rows])
        assert np.array_equal(y, Y[rows])


def large(n: int, size: int = 1000) -> Any:
    return np.random.default_rng(1).integers(0, 9, (n, size)).astype(np.uint8)


def test_a_task_travels_as_paths_also_after_it_was_read(tmp_path: Path) -> None:
    task = npy(saved(tmp_path, x_train=large(4000), y_train=np.arange(4000) % 2))
    data_digest(task)
    payload = pack(task)  # type: ignore[arg-type]
    assert len(payload.data) + sum(map(len, payload.buffers)) < 150_000, "rows and targets, 4 MB of examples are not"
    other: Task = pickle.loads(pickle.dumps(task))
    assert data_digest(other) == data_digest(task)


def test_rows_of_rows_are_read_in_their_order(tmp_path: Path) -> None:
    file = NpyFile(saved(tmp_path, x_train=X) / "x_train.npy")
    part = Selected(Selected(file, np.array([9, 3, 50, 7])), np.array([2, 0]))
    assert part.shape == (2, 3, 5, 5)
    assert np.array_equal(part.rows(np.array([1, 0, 1])), X[[9, 50, 9]])


def test_chunks_are_all_rows_in_order(tmp_path: Path) -> None:
    file = NpyFile(saved(tmp_path, x_train=X) / "x_train.npy")
    for column in (X, file):
        parts = list(chunks(column, numbers=700))
        assert max(map(len, parts)) == 9
        assert np.array_equal(np.concatenate(parts), X)
        assert len(list(chunks(column, numbers=1))) == 60


def test_rows_do_not_hold_the_file(tmp_path: Path) -> None:
    """A view of the map could be written over, and would keep pages."""
    file = NpyFile(saved(tmp_path, x_train=X) / "x_train.npy")
    for rows in (np.array([4]), np.arange(60)):
        found = file.rows(rows)
        found[:] = 0
        assert np.array_equal(file.rows(rows), X[rows])


def test_a_digest_reads_a_bounded_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 40_000
    x = np.zeros((n, 1000), np.uint8)
    task = npy(saved(tmp_path, x_train=x, y_train=np.arange(n) % 2))
    read: list[int] = []
    rows = NpyFile.rows
    monkeypatch.setattr(NpyFile, "rows", lambda self, indices: read.append(len(indices)) or rows(self, indices))
    before = data_digest(task)
    assert len(read) == 2
    assert sum(read) * 1000 <= 2 * HASHED_BYTES
    monkeypatch.undo()
    x[:, 7] = 1
    assert data_digest(npy(saved(tmp_path, x_train=x, y_train=np.arange(n) % 2))) != before


# -- what is wrong with a folder --

EXAMPLES = np.zeros((9, 4), np.float32)
TARGETS = np.arange(9) % 3


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": EXAMPLES}, "has no array y_train"),
        ({"x_train": EXAMPLES, "y_train": TARGETS, "x_valid": EXAMPLES}, "has no array y_valid"),
        ({"x_train": EXAMPLES, "y_train": TARGETS, "x_tset": EXAMPLES, "y_tset": TARGETS}, "did you mean 'x_test'"),
        ({"x_train": EXAMPLES, "y_train": TARGETS[:5]}, "9 examples but 5 targets"),
        ({"x_train": EXAMPLES, "y_train": TARGETS - 1}, "count from 0"),
        ({"x_train": EXAMPLES, "y_train": TARGETS / 2}, "labels must be integers"),
        ({"x_train": EXAMPLES, "y_train": np.array(3)}, "y_train must hold a target for each example"),
        ({"x_train": TARGETS, "y_train": TARGETS}, r"x_train must be numbers \(n, \.\.\.\)"),
        ({"x_train": EXAMPLES + 1j, "y_train": TARGETS}, r"x_train must be numbers \(n, \.\.\.\)"),
        ({"x_train": EXAMPLES[:0], "y_train": TARGETS[:0]}, "."),
        ({"x_train": np.where(np.arange(4) == 3, np.nan, EXAMPLES), "y_train": TARGETS}, "NaN or infinite"),
        ({"x_train": np.array([[1, 2], [3]] * 4 + [[1]], object), "y_train": TARGETS}, "holds Python objects"),
        (
            {"x_train": EXAMPLES, "y_train": TARGETS, "x_test": EXAMPLES[:, :2], "y_test": TARGETS},
            "must have one shape",
        ),
        ({"x_train": np.asfortranarray(EXAMPLES + 1), "y_train": TARGETS}, "x_train.npy is stored in Fortran order"),
    ],
)
def test_a_wrong_folder_is_the_users_error(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        npy(saved(tmp_path, **arrays), valid_fraction=0.3, test_fraction=0.3)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_missing_or_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"task\.path: no folder .*nowhere"):
        npy(tmp_path / "nowhere")
    np.save(tmp_path / "single.npy", EXAMPLES)
    with pytest.raises(UserError, match=r"single\.npy is a file; kind npy takes a folder"):
        npy(tmp_path / "single.npy")


@pytest.mark.parametrize("content", [b"no array", b""])
def test_a_file_that_is_no_array_is_named(tmp_path: Path, content: bytes) -> None:
    saved(tmp_path, y_train=TARGETS)
    (tmp_path / "x_train.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"x_train\.npy cannot be mapped into memory"):
        npy(tmp_path)


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    file = saved(tmp_path, x_train=EXAMPLES, y_train=TARGETS) / "x_train.npy"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"x_train\.npy cannot be mapped into memory"):
        npy(tmp_path)


def test_a_worker_that_has_another_file_or_none_says_so(tmp_path: Path) -> None:
    task = npy(saved(tmp_path, x_train=X, y_train=Y))
    sent = pickle.dumps(task)
    np.save(tmp_path / "x_train.npy", X[:50])
    with pytest.raises(UserError, match=r"x_train\.npy is not the file that the search began with"):
        data_digest(pickle.loads(sent))
    (tmp_path / "x_train.npy").unlink()
    with pytest.raises(UserError, match=r"no file .*x_train\.npy; it must lie there on each machine that trains"):
        data_digest(pickle.loads(sent))


@pytest.mark.parametrize("make", [classification, regression])
def test_several_inputs_need_a_task_of_their_own(make: Any) -> None:
    split = Split({"a": EXAMPLES, "b": EXAMPLES}, TARGETS)
    with pytest.raises(UserError, match="a, b are several inputs: give a Task of your own"):
        make("two", Splits(split, split, split))
    with pytest.raises(UserError, match="9 examples but 8 targets"):
        Split({"a": EXAMPLES[:8], "b": EXAMPLES}, TARGETS[:8])


def test_some_examples_of_a_split_are_read_by_their_rows() -> None:
    split = Split({"a": EXAMPLES + 1, "b": np.arange(9)}, TARGETS)
    x, y = split[np.array([8, 2])].read(np.array([1, 0, 1]))
    assert x["b"].tolist() == [2, 8, 2]
    assert y.tolist() == [2, 2, 2]
    assert taken(split.y, np.array([0, 1])).tolist() == [0, 1]
