"""The record of the data in a run.json, and what of it has a file of its own."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.config.messages import validated
from evonas.errors import UserError
from evonas.tasks.data_record.record import DataRecord


def recorded_data(description: Mapping[str, Any], where: object) -> DataRecord | None:
    """What a run.json says of its data; None where an earlier evonas wrote it, or nothing was trained.

    Args:
        description: the run.json.
        where: the run folder, for messages.

    Raises:
        UserError: it says something else than evonas writes.
    """
    data = description.get("data")
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise UserError(f"{where}/run.json: data: takes a section of keys, not {data!r}")
    return validated(DataRecord, data, f"{where}/run.json: data")


def in_run_json(record: DataRecord) -> DataRecord:
    """The record as a run.json has it: without what has files of its own."""
    return record.model_copy(update={"names": (), "names_sha256": names_sha256(record), "tokenizer": ""})


def names_sha256(record: DataRecord) -> str:
    """What tells names from others; empty where there are none."""
    return record.names_sha256 or (hashlib.sha256(names_file(record.names)).hexdigest() if record.names else "")


def names_file(names: Sequence[str]) -> bytes:
    """The file that a run folder has of names, in order of their numbers; empty where there are none."""
    return json.dumps(list(names), separators=(",", ":")).encode() if names else b""
