"""The record of a task's data: sizes, classes and a digest of each part."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from evonas.tasks.data_record.prepare import recorded_finish, recorded_prepare
from evonas.tasks.data_record.record import ColumnRecord, DataRecord, SplitRecord
from evonas.tasks.pictures.stored import DecodedPictures
from evonas.tasks.segmentation.masks import MaskClasses
from evonas.tasks.stored_array import Column, chunks, nbytes, source, taken
from evonas.tasks.task import Split, Task

SAMPLED_BYTES = 2**24
"""Of stored examples larger than this, rows at even distances are hashed: no more of them is read."""


def data_record(task: Task) -> DataRecord:
    """Describe the data of a task. Arrays in memory are read once, of stored ones `SAMPLED_BYTES` an array."""
    splits = {
        name: SplitRecord(
            examples=len(split), counts=_counts(split, task), sha256=_digest(split), drawn=name in task.splits.drawn
        )
        for name, split in task.splits.parts.items()
    }
    columns = {
        name: ColumnRecord(shape=column.shape[1:], dtype=column.dtype.name)
        for name, column in task.splits.train.columns.items()
    }
    return DataRecord(
        splits=splits,
        columns=columns,
        classes=task.classes,
        notes=task.notes,
        finish=recorded_finish(task.finish),
        baselines={name: dict(values) for name, values in task.baselines.items()},
        names=task.names,
        **recorded_prepare(task.prepare),
    )


def _digest(split: Split) -> str:
    digest = hashlib.sha256()
    for name, column in {**split.columns, "y": split.y}.items():
        digest.update(f"{name} {column.dtype.str} {column.shape}".encode())
        for part in _hashed(column):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _hashed(column: Column) -> Iterator[Any]:
    """All rows of an array in memory, some of one that is stored; all of pictures, which lie in memory elsewhere."""
    if isinstance(column, np.ndarray) or isinstance(source(column), DecodedPictures | MaskClasses):
        yield from chunks(column)
    else:
        yield taken(column, np.arange(0, len(column), max(1, -(-nbytes(column) // SAMPLED_BYTES))))


def _counts(split: Split, task: Task) -> tuple[int, ...] | None:
    y, classes = split.y, task.spec.outputs
    if len(y.shape) != 1 or y.dtype.kind not in "iu" or len(task.spec.output_shape) != 1:
        return None
    if int(y.min()) < 0 or int(y.max()) >= classes:
        return None
    return tuple(np.bincount(y, minlength=classes).tolist())
