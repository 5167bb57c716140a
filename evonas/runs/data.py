"""The data of a run as its folder knows them, with what has a file of its own: names and a tokenizer."""

import json
from typing import TYPE_CHECKING

from evonas.errors import UserError
from evonas.store import NAMES, TOKENIZER, read_vouched
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.data_record.run_json import recorded_data

if TYPE_CHECKING:
    from evonas.runs.run import Run


def whole_data(run: "Run") -> DataRecord | None:
    """What a run says of its data; None where it says nothing.

    Raises:
        UserError: a file beside run.json is missing or damaged, or run.json says something else than evonas writes.
    """
    record = recorded_data(run.description, run.folder)
    if record is None:
        return None
    found: dict[str, object] = {}
    if record.names_sha256:
        found["names"] = tuple(json.loads(read_vouched(run.folder, NAMES, record.names_sha256)))
    if record.text and record.text.tokenizer_sha256:
        found["tokenizer"] = read_vouched(run.folder, TOKENIZER, record.text.tokenizer_sha256).decode()
    return record.model_copy(update=found)


def data_for_others(run: "Run") -> DataRecord | None:
    """The same, for who is to use a network elsewhere: where an earlier evonas did not record how texts became numbers,
    the data say it once more, if they are still there.

    Raises:
        UserError: as of `whole_data`.
    """
    record = whole_data(run)
    if record is None or not record.tokens or record.text or record.names:
        return record
    try:
        again = data_record(run.task())
    except UserError:
        return record
    return record.model_copy(update={"text": again.text, "tokenizer": again.tokenizer})
