"""The data of a run as its folder knows them, with the names that have a file of their own."""

from typing import TYPE_CHECKING

from evonas.store import read_names
from evonas.tasks.data_record import DataRecord, recorded_data

if TYPE_CHECKING:
    from evonas.runs.run import Run


def data_with_names(run: "Run") -> DataRecord | None:
    """What a run says of its data; None where it says nothing.

    Raises:
        UserError: the file of the names is missing or damaged, or run.json says something else than evonas writes.
    """
    record = recorded_data(run.description, run.folder)
    if record is None or not record.names_sha256:
        return record
    return record.model_copy(update={"names": read_names(run.folder, record.names_sha256)})
