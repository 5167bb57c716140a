"""run.json, what a run is of, and its copy in the first start, for where the file is damaged or lost."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from evonas.errors import UserError
from evonas.store.documents import Damaged, from_document, read_document, to_document
from evonas.store.folder import FOLDERS, REUSED, VOUCHED, Folder
from evonas.store.lease import LEASE
from evonas.store.migration import EARLIER, OLDEST, migrate_description, with_later_keys
from evonas.store.schema import SCHEMA_VERSION
from evonas.store.validation import RunForm, check_document
from evonas.text import describe_error

RUN = "run.json"
FIRST_START, RUN_COPY = "starts/0001.json", "run"
"""Where the copy of run.json is, without its checksum."""


def create_run(folder: Folder, description: Mapping[str, Any]) -> None:
    """Write run.json, once."""
    folder.create(RUN, to_document({"schema_version": SCHEMA_VERSION, **description}))


def read_run(folder: Folder) -> dict[str, Any]:
    """run.json of a run.

    Raises:
        UserError: there is none, it is damaged, or another version of evonas wrote it.
    """
    try:
        description = from_document(RUN, run_document(folder))
    except FileNotFoundError:
        raise UserError(f"{folder} is not a run folder: it has no {RUN}") from None
    except Damaged as damage:
        raise UserError(f"{folder}/{RUN} {damage.what}; restore it from a copy") from None
    version = description.get("schema_version")
    if version not in (*EARLIER, SCHEMA_VERSION):
        raise UserError(
            f"{folder}/{RUN} has schema version {version}; this evonas reads versions {EARLIER[0]} to {SCHEMA_VERSION}"
        )
    try:
        found = migrate_description(description) if version == OLDEST else description
        check_document(RUN, found, RunForm)
    except Damaged as damage:
        raise UserError(f"{folder}/{RUN} {damage.what}; restore it from a copy") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{folder}/{RUN} is damaged: {describe_error(error)}; restore it from a copy") from None
    return with_later_keys(found)


def run_document(folder: Folder) -> bytes:
    """run.json as it was written: the file, or where that is damaged or lost the copy of it in the first start.

    Raises:
        FileNotFoundError: there is neither.
    """
    try:
        data = folder.read(RUN)
        from_document(RUN, data)
    except FileNotFoundError:
        copy = _copy_of_run(folder)
        if copy is None:
            raise
        return copy
    except Damaged:
        return _copy_of_run(folder) or data
    return data


def mend_run(folder: Folder) -> None:
    """Write run.json again where it is damaged or lost, from its copy; what is damaged is kept in damaged/."""
    data = run_document(folder)
    try:
        present = folder.read(RUN)
    except FileNotFoundError:
        present = None
    if present == data:
        return
    if present is not None:
        with suppress(FileExistsError):  # an earlier start was interrupted here
            folder.create(f"damaged/{hashlib.sha256(present).hexdigest()[:8]}-{RUN}", present)
        folder.remove(RUN)
    folder.create(RUN, data)


def has_own_description(folder: Folder) -> bool:
    """Whether run.json is there and intact, so that its copy is not needed."""
    try:
        return folder.read(RUN) == run_document(folder)
    except FileNotFoundError:
        return False


def _copy_of_run(folder: Folder) -> bytes | None:
    try:
        return to_document(read_document(folder, FIRST_START)[RUN_COPY])
    except (FileNotFoundError, Damaged, KeyError, TypeError):
        return None


def is_run(folder: Folder) -> bool:
    return RUN in folder.names() or _copy_of_run(folder) is not None


def is_new(folder: Folder) -> bool:
    """Whether nothing is there but what a writer lays out before its first record."""
    return set(folder.names()) <= {*FOLDERS, LEASE, REUSED, *VOUCHED} and not any(map(folder.names, FOLDERS))
