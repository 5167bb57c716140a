"""A new run in its folder, or the one that is there."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.components import Components
from evonas.run_identity.checking import check_run
from evonas.run_identity.describing import FOUNDERS_FROM, describe
from evonas.store import (
    NAMES,
    ORIGIN,
    TOKENIZER,
    Folder,
    create_run,
    evaluations_schema,
    is_run,
    mend_run,
    write_reused,
    write_vouched,
)
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.data_record.run_json import names_file


def create_or_check(
    folder: Folder,
    components: Components,
    origin: Mapping[str, Any],
    reused: Sequence[Mapping[str, Any]],
    founders_from: str = "",
) -> None:
    """Describe a new run in its run.json; what is there by now must be this search. For the holder of the lock.

    Args:
        folder: of the run.
        components: of the search.
        origin: the run that it re-uses, as run.json says it; empty: none.
        reused: rows of that run.
        founders_from: the file or the run of its founders; empty: the config has listed them.
    """
    check_run(folder, components)
    if not is_run(folder):
        description = {"id": uuid.uuid4().hex, **describe(components)}
        if founders_from:
            description[FOUNDERS_FROM] = founders_from
        if origin:
            schema = evaluations_schema(components.objectives.metrics, components.objectives.targets)
            description[ORIGIN] = {**origin, "rows": len(reused), "sha256": write_reused(folder, reused, schema)}
        for name, data in _vouched(components.data).items():
            write_vouched(folder, name, data)
        create_run(folder, description)
    mend_run(folder)


def _vouched(data: DataRecord | None) -> dict[str, bytes]:
    """Files of what is too much for a run.json."""
    found = {NAMES: names_file(data.names), TOKENIZER: data.tokenizer.encode()} if data else {}
    return {name: content for name, content in found.items() if content}
