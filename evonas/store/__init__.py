"""A run folder: write-once Parquet a generation, a journal of what is not in one yet, one schema.

run.json                                 id, resolved config, fingerprint, genes, what the data were; written once
reused.parquet                           rows of another run that this one re-uses; written once, before run.json
names.json, tokenizer.json               what numbers of inputs are called, what makes them; likewise
starts/0001.json                         budget, runtime and versions of each start; ended-0001.json: how it ended
journal/0001-000001.jsonl                births, rungs and decisions that are not yet in a generation
evaluations/generation-00001.parquet     one row a candidate evaluated in that generation
populations/generation-00001.parquet     its survivors
manifest/generation-00001.json           SHA-256 of both files and of the manifest before; its presence commits them
weights/000042.safetensors               trained networks of the front
retrained/000042.json                    a re-used network of the front was trained again, for its weights
logs/000017.txt                          what a candidate printed, and the traceback of its failure
measured/0001-000042.json                what the front took in the end, where that was not known to the end
measured/front-0001.json                 what it took when `evonas measure --front` measured it again
damaged/                                 copies of what was found damaged and set aside

Knows nothing of who writes, or why.
"""

from evonas.store.candidate_files import Checkpoints, log_name, weights_name
from evonas.store.description import create_run, has_own_description, is_new, is_run, mend_run, read_run
from evonas.store.folder import NAMES, TOKENIZER, Folder
from evonas.store.generations import Tables
from evonas.store.measured import read_measured, record_measured
from evonas.store.migration import strategy_before
from evonas.store.opening import open_folder
from evonas.store.reading import (
    as_last_started,
    import_options,
    kept_weights,
    read_journal_rows,
    read_retrained,
    read_starts,
    read_tables,
)
from evonas.store.recovery import Recovered, recover
from evonas.store.refined import refined_conditions, refined_metrics, refined_row, screened_targets
from evonas.store.reused import ORIGIN, read_reused, write_reused
from evonas.store.schema import NON_REPRODUCIBLE, SPENT_USD, UNPRICED_S, evaluations_schema, from_row, to_row
from evonas.store.vouched import read_vouched, write_vouched
from evonas.store.writing import Store

__all__ = [
    "NAMES",
    "NON_REPRODUCIBLE",
    "ORIGIN",
    "SPENT_USD",
    "TOKENIZER",
    "UNPRICED_S",
    "Checkpoints",
    "Folder",
    "Recovered",
    "Store",
    "Tables",
    "as_last_started",
    "create_run",
    "evaluations_schema",
    "from_row",
    "has_own_description",
    "import_options",
    "is_new",
    "is_run",
    "kept_weights",
    "log_name",
    "mend_run",
    "open_folder",
    "read_journal_rows",
    "read_measured",
    "read_retrained",
    "read_reused",
    "read_run",
    "read_starts",
    "read_tables",
    "read_vouched",
    "record_measured",
    "recover",
    "refined_conditions",
    "refined_metrics",
    "refined_row",
    "screened_targets",
    "strategy_before",
    "to_row",
    "weights_name",
    "write_reused",
    "write_vouched",
]
