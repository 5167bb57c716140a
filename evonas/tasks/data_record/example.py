"""Made-up examples of the form in which a search's data are stored."""

from typing import Any

import numpy as np
import torch

from evonas.tasks.data_record.record import ColumnRecord, DataRecord


def stored_example(record: DataRecord, count: int, high: int = 100) -> Any:
    """Made-up examples as the data store them.

    Args:
        record: of the data.
        count: how many.
        high: whole numbers lie below it.

    Returns:
        A tensor (count, ...), or such tensors by the names of inputs.
    """
    random = np.random.default_rng(0)
    made = {name: _made_up(column, count, high, random) for name, column in record.columns.items()}
    return made[""] if list(made) == [""] else made


def _made_up(column: ColumnRecord, count: int, high: int, random: np.random.Generator) -> torch.Tensor:
    shape, dtype = (count, *column.shape), np.dtype(column.dtype)
    whole = random.integers(0, 2 if dtype.kind == "b" else high, shape)
    return torch.from_numpy((random.standard_normal(shape) if dtype.kind == "f" else whole).astype(dtype))
