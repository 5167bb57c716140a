"""Rows of tables as a network takes them in: which inputs they are. Their layers are in column_network.py.

The task `table` gives a network one tensor of numbers (features,) or, where there are categories, `numbers` (features,)
and `categories` (columns,), of which each column has whole numbers of its own below one common `high`: one embedding
holds the values of all columns.
"""

from collections.abc import Mapping

from evonas.records import Inputs, InputSpec

NUMBERS, CATEGORIES = "numbers", "categories"


def are_columns(inputs: Inputs) -> bool:
    """Whether inputs are those of a table with categories: `categories`, and `numbers` where there are some."""
    if not isinstance(inputs, Mapping) or CATEGORIES not in inputs or not {*inputs} <= {NUMBERS, CATEGORIES}:
        return False
    return all(len(spec.shape) == 1 and spec.is_integer == (name == CATEGORIES) for name, spec in inputs.items())


def columns_of(inputs: Inputs) -> tuple[int, int, int]:
    """How many features of numbers, columns of categories, and values of all categories together a row has.

    Args:
        inputs: of a table, or one tensor (features,).

    Raises:
        ValueError: they are others.
    """
    if isinstance(inputs, InputSpec) and len(inputs.shape) == 1 and not inputs.is_integer:
        return inputs.shape[0], 0, 0
    if isinstance(inputs, InputSpec) or not are_columns(inputs):
        raise ValueError("rows of a table are numbers (features,), or `numbers` and `categories` of them")
    categories = inputs[CATEGORIES]
    return inputs[NUMBERS].shape[0] if NUMBERS in inputs else 0, categories.shape[0], categories.high or 0
