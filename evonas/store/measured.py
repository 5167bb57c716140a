"""What candidates took that were measured after a search: by itself at its end, or by `evonas measure --front`."""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.errors import UserError
from evonas.store.documents import Damaged, read_document, to_document
from evonas.store.folder import Folder, digits
from evonas.store.migration import migrate_row
from evonas.store.validation import MeasuredForm, check_document

FROM_COMMAND = "front-"
"""How names in measured/ begin of what `evonas measure --front` measured."""


def read_measured(folder: Folder, by_search: bool | None = None) -> list[dict[str, Any]]:
    """What candidates took that were measured after a search: candidate, message, metrics, conditions.

    Args:
        folder: of the run.
        by_search: only what the search itself measured at its end, or only what `evonas measure --front` did; None:
            both.
    """
    try:
        documents = []
        for name in folder.names("measured"):
            if by_search is not None and by_search is name.startswith(FROM_COMMAND):
                continue
            documents.append(read_document(folder, f"measured/{name}"))
            check_document(f"measured/{name}", documents[-1], MeasuredForm)
    except Damaged as damage:
        raise UserError(f"{folder}/{damage.name} {damage.what}; restore it from a copy, or remove it") from None
    return [migrate_row(row) for document in documents for row in document["measured"]]


def record_measured(folder: Folder, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write down what candidates took that were measured again, beside what is there; once, and without the lock.

    Args:
        folder: of the run, which a search may be writing to.
        rows: candidate, message, metrics, conditions.

    Returns:
        The name of the file.
    """
    number = 1 + max([0, *(digits(name) for name in folder.names("measured") if name.startswith(FROM_COMMAND))])
    while True:
        name = f"measured/{FROM_COMMAND}{number:04d}.json"
        try:
            folder.create(name, to_document({"measured": list(rows)}))
            return name
        except FileExistsError:  # somebody else measured meanwhile
            number += 1
