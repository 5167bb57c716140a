"""What a run re-uses of another one: its rows as this one would have recorded them, written once, before run.json.

Nothing of the other run is needed any more once they are there, so a search goes on and is verified wherever it is.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from evonas.errors import UserError
from evonas.store.documents import Damaged
from evonas.store.folder import REUSED, Folder
from evonas.store.generations import to_parquet, unpacked
from evonas.store.schema import evaluations_schema
from evonas.store.validation import check_table

ORIGIN = "from"
"""The key of run.json that says which run the rows are of, how many they are, and their SHA-256."""


def write_reused(folder: Folder, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> str:
    """Write down the rows that a search re-uses. What an interrupted start has left is replaced.

    Args:
        folder: of the run, which has no run.json yet.
        rows: by the columns of `evaluations`, in the order in which their networks become candidates.
        schema: of the run's evaluations.

    Returns:
        SHA-256 (hex) of the file.
    """
    data = to_parquet([dict(row) for row in rows], schema)
    with suppress(FileNotFoundError):
        folder.remove(REUSED)
    folder.create(REUSED, data)
    return hashlib.sha256(data).hexdigest()


def read_reused(folder: Folder, description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that a run re-uses.

    Args:
        folder: of the run.
        description: its run.json.

    Returns:
        They, in the order of `write_reused`; none of a run that was begun without another one.

    Raises:
        UserError: the file is missing or damaged.
    """
    origin = description.get(ORIGIN)
    if not origin:
        return []
    schema = evaluations_schema(description["metrics"], description["targets"])
    try:
        table = _table(folder, origin, schema)
    except Damaged as damage:
        raise UserError(f"{folder}/{REUSED} {damage.what}; restore it from a copy") from None
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="strict")
    return rows


def _table(folder: Folder, origin: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """
    Raises:
        Damaged: it is missing, or not what run.json names.
    """
    try:
        data = folder.read(REUSED)
    except FileNotFoundError:
        raise Damaged(REUSED, "is missing") from None
    if hashlib.sha256(data).hexdigest() != origin["sha256"]:
        raise Damaged(REUSED, "is damaged: its SHA-256 is not the recorded one")
    table = unpacked(REUSED, data, origin["rows"])
    if not table.schema.equals(schema):
        raise Damaged(REUSED, "is damaged: its columns are not those of this run")
    check_table(REUSED, table, [column.name for column in schema if column.type == pa.float64()])
    return table
