"""What the rows of a table belong to, or when they were, by one of its columns."""

from typing import Any

from evonas.errors import UserError
from evonas.tasks.dealing import Keys, SplitBy
from evonas.tasks.table.dates import DAYS, days, first_other, format_of, moments
from evonas.tasks.table.encoder import texts, values
from evonas.tasks.table.fitting import DATED, TEXTUAL


def key_of(column: Any, name: str, split: SplitBy) -> Keys:
    """The key of each training row.

    Args:
        column: of the table.
        name: of the column, for messages.
        split: of the config, which names it.

    Raises:
        UserError: the column has gaps, or is no time where one is asked for.
    """
    where = f"task.split.{'by' if split.by else 'time'}"
    if column.null_count:
        raise UserError(f"{where}: {column.null_count:,} rows of train have no {name}; fill or remove them")
    if split.by:
        return Keys(texts(column).astype(str))
    if str(column.type).startswith("dictionary"):  # pandas' categories
        column = column.cast(column.type.value_type)
    kind = str(column.type)
    written = format_of(column) if kind.startswith(TEXTUAL) else ""
    if kind.startswith(TEXTUAL) and not written:
        raise UserError(
            f"{where}: {name} holds no times: write dates as {DAYS[0]} or {DAYS[1]}, or numbers; "
            f"{first_other(column)[1]!r} is none"
        )
    return Keys(days(moments(column, written)) if written or kind.startswith(DATED) else values(column, name), True)
