"""What the driver and its workers must have alike, so that a row is of the network that its genome names.

A space and a task travel to other processes, where modules may be imported anew or in another version. Nothing else
would notice that a genome means another network there.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from evonas.errors import UserError
from evonas.spaces.space import Space
from evonas.tasks.stored_array import nbytes, taken
from evonas.tasks.task import Task

HASHED_BYTES = 2**24
"""Of an array larger than this, rows at even distances are hashed; no more are read of one that is stored."""


def agreement(space: Space, task: Task) -> dict[str, str]:
    """The genes, what the task takes and gives, and its data: texts that are equal where these are."""
    return {"genes": space.signature(), "task": repr(task.spec), "data": data_digest(task)}


def check_agreement(expected: Mapping[str, str], space: Space, task: Task) -> None:
    """
    Raises:
        UserError: this process has another space, task or data than the one that made `expected`.
    """
    own = agreement(space, task)
    for name, text in expected.items():
        if own[name] != text:
            raise UserError(
                f"runtime: a worker has other {name} than the driver: {own[name]} there, {text} here; "
                "use one version of the module that defines them on all machines, or give it with --import"
            )


def data_digest(task: Task) -> str:
    """SHA-256 (hex) of the examples and targets that a search sees, the same whether they are in memory or stored."""
    digest = hashlib.sha256()
    for split in (task.splits.train, task.splits.valid):
        for name, column in {**split.columns, "y": split.y}.items():
            digest.update(f"{name}{column.dtype.str} {column.shape}".encode())
            step = -(-nbytes(column) // HASHED_BYTES)
            digest.update(taken(column, np.arange(0, len(column), max(1, step))).tobytes())
    return digest.hexdigest()
