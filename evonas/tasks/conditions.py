"""Which examples a config means by a condition on something that is known of each: `take < 5`."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.task import Array

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
FORM = re.compile(rf"\s*(\w+)\s*({'|'.join(COMPARISONS)})\s*(\S.*?)\s*")


def rows_where(condition: str, known: Mapping[str, Array], key: str) -> Array:
    """Rows for which a condition holds.

    Args:
        condition: a name, a comparison and a value: `take < 5`, `speaker == theo`.
        known: name -> (n,) numbers or texts.
        key: of the config that has the condition.

    Returns:
        (n,) bool.

    Raises:
        UserError: it is no condition, names nothing that is known, holds for no row, or for all of them.
    """
    form = FORM.fullmatch(condition)
    if form is None:
        raise UserError(f"{key}: takes a condition as `take < 5` or `speaker == theo`, not {condition!r}")
    name, comparison, value = form.groups()
    if name not in known:
        raise UserError(f"{key}: {unknown(name, known)}")
    values = known[name]
    rows: Array = COMPARISONS[comparison](values, _like(values, value, comparison, key))
    if rows.all() or not rows.any():
        raise UserError(f"{key}: {condition} holds for {'all' if rows.all() else 'none'} of {len(rows):,} examples")
    return rows


def _like(values: Array, value: str, comparison: str, key: str) -> float | str:
    """The value as what it is compared with."""
    if values.dtype.kind not in "biuf":
        if comparison not in ("==", "!="):
            raise UserError(f"{key}: texts are compared by == and !=, not by {comparison}")
        return value.strip("'\"")
    try:
        return float(value)
    except ValueError:
        raise UserError(f"{key}: {value!r} is no number, and numbers are compared with it") from None
