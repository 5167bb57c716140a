"""Frames of pandas, Polars and others as tables of Arrow."""

import sys
from typing import Any


def as_arrow(frame: Any) -> Any:
    """A `pyarrow.Table` of a frame; None where it is none.

    Args:
        frame: of pandas, whose index is left out; a `pyarrow.Table`; or whatever has columns and gives an Arrow stream
            (`__arrow_c_stream__`), as frames of Polars do.

    Raises:
        ArrowException, ValueError, TypeError: a column holds what Arrow has no type for.
    """
    import pyarrow as pa

    pandas: Any = sys.modules.get("pandas")  # which is loaded where a frame of it is there
    if isinstance(frame, pa.Table):
        return plain(frame)
    if pandas and isinstance(frame, pandas.DataFrame):
        return plain(pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False))
    if hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "columns"):  # a series has no columns
        return plain(pa.table(frame))
    return None


def plain(table: Any) -> Any:
    """The table with texts that Arrow computes with: for views of texts, as Polars gives them, it lacks functions."""
    for place, column in enumerate(table.columns):
        if (as_texts := _texts(column)) is not None:
            table = table.set_column(place, table.column_names[place], as_texts)
    return table


def in_words(frame: Any) -> str:
    """What is no frame, for people."""
    lazy = "; collect() makes a frame of it" if hasattr(frame, "collect") else ""
    return f"{type(frame).__name__}{lazy}"


def _texts(column: Any) -> Any:
    """None where they are no views."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if not pa.types.is_dictionary(kind) or not pa.types.is_string_view(kind.value_type):
        return None
    chunks = [
        pa.DictionaryArray.from_arrays(each.indices, each.dictionary.cast(pa.large_string())) for each in column.chunks
    ]
    return pa.chunked_array(chunks, pa.dictionary(kind.index_type, pa.large_string()))
