"""What `final/` of a run folder holds: networks that were trained to the end, and looks at the test examples.

final/000042-1f2e3d4c.parquet            a finished network: a row a training, and one that sums up; written once
final/000042-1f2e3d4c-seed1.safetensors  its weights after the training with seed 1
final/000042-1f2e3d4c-trial0.json        a training that has ended, of a network that is not finished
final/000042-1f2e3d4c-trial0-00012.state what a training goes on from
final/tests-0001.parquet                 a look at the test examples by `evonas test`: a row a network or file

The eight digits name how it was trained: other options are another network. Nothing of a search is decided by it.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evonas.errors import UserError
from evonas.store.documents import Damaged, read_document, to_document
from evonas.store.folder import Folder, digits

KIND = "final"
_TEXT, _REAL, _INT, _SHORT = pa.string(), pa.float64(), pa.int64(), pa.int32()
_POINT = pa.struct([("epoch", _SHORT), *((name, _REAL) for name in ("train_loss", "valid_loss", "valid_metric"))])

TRAININGS = pa.schema(
    [
        ("candidate", _INT),
        ("key", _TEXT),
        ("stage", _TEXT),
        ("number", _SHORT),
        ("status", _TEXT),
        ("message", _TEXT),
        ("seed", _INT),
        ("epochs", _SHORT),
        ("fit_on", _TEXT),
        ("training", _TEXT),
        ("final", _TEXT),
        ("curve", pa.list_(_POINT)),
        ("metrics", pa.map_(_TEXT, _REAL)),
        ("conditions", pa.map_(_TEXT, _TEXT)),
        ("weights", _TEXT),
        ("weights_sha256", _TEXT),
        ("started_at", _REAL),
        ("finished_at", _REAL),
    ]
)
"""stage: trial (a recipe tried), seed (the best recipe from other initial weights), network (all of it in one row)."""

TESTS = pa.schema(
    [
        ("candidate", _INT),
        ("weights", _TEXT),
        ("weights_sha256", _TEXT),
        ("examples", _INT),
        ("metrics", pa.map_(_TEXT, _REAL)),
        ("at", _REAL),
    ]
)
"""weights: search, final, or the name of an exported file, whose SHA-256 then stands in weights_sha256."""


_DIGEST = b"evonas.sha256"
"""Where in the file's own metadata the SHA-256 of its rows stands."""


def final_name(candidate: int, key: str, stage: str = "", number: int = 0) -> str:
    """The name of a network, or of one of its trainings, without folder and suffix."""
    return f"{candidate:06d}-{key}" + (f"-{stage}{number}" if stage else "")


def read_final(folder: Folder) -> list[dict[str, Any]]:
    """The rows of all finished networks, by candidate.

    Raises:
        UserError: a file is damaged.
    """
    names = [name for name in folder.names(KIND) if name.endswith(".parquet") and not name.startswith("tests-")]
    return [row for name in names for row in _rows(folder, name, TRAININGS)]


def write_final(folder: Folder, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record a finished network, once; what was kept of its trainings in the meantime goes.

    Args:
        folder: of the run.
        name: from `final_name`.
        rows: as `TRAININGS` has them.
    """
    with suppress(FileExistsError):  # by a driver that ended before it could clear up
        folder.create(f"{KIND}/{name}.parquet", _parquet(rows, TRAININGS))
    for left in folder.names(KIND):
        if left.startswith(f"{name}-") and left.endswith((".json", ".state")):
            folder.remove(f"{KIND}/{left}")


def read_tests(folder: Folder) -> list[dict[str, Any]]:
    """Every look at the test examples by `evonas test`, the oldest first.

    Raises:
        UserError: a file is damaged.
    """
    names = [name for name in folder.names(KIND) if name.startswith("tests-") and name.endswith(".parquet")]
    return [row for name in names for row in _rows(folder, name, TESTS)]


def record_tests(folder: Folder, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a look at the test examples down, beside those before; the name of the file."""
    numbers = [digits(name) for name in folder.names(KIND) if name.startswith("tests-")]
    number = 1 + max([0, *numbers])
    while True:
        name = f"{KIND}/tests-{number:04d}.parquet"
        try:
            folder.create(name, _parquet(rows, TESTS))
            return name
        except FileExistsError:  # somebody else looked meanwhile
            number += 1


def unheard(status: str, message: str, curve: list[dict[str, Any]], took_s: float = 0.0) -> dict[str, Any]:
    """The result of a training that did not come to say it itself, after so many seconds of work."""
    found: dict[str, Any] = {"status": status, "message": message, "curve": curve, "metrics": {}, "conditions": {}}
    now = time.time()
    return {**found, "started_at": now - took_s, "finished_at": now}


class FinalRecorder:
    """Keeps what trainings have reached, so that the same line goes on. One a process that writes.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def result(self, name: str) -> dict[str, Any] | None:
        """How a training ended; None while it has not."""
        try:
            return read_document(self._folder, f"{KIND}/{name}.json")
        except (FileNotFoundError, Damaged):  # a damaged one is trained again
            return None

    def state(self, name: str) -> bytes | None:
        """What a training goes on from; None at its beginning."""
        for state in reversed(self._states(name)):
            with suppress(FileNotFoundError):
                return self._folder.read(f"{KIND}/{state}")
        return None

    def keep(self, name: str, epoch: int, state: bytes) -> None:
        """Keep the state after an epoch, and none before it."""
        before = self._states(name)
        with suppress(FileExistsError):  # of an attempt before this one
            self._folder.create(f"{KIND}/{name}-{epoch:05d}.state", state)
        for old in before:
            if digits(old) < epoch:
                self._folder.remove(f"{KIND}/{old}")

    def finish(self, name: str, result: Mapping[str, Any], weights: bytes = b"") -> None:
        """Keep how a training ended, with its weights where they are wanted."""
        if weights:
            self._create(f"{KIND}/{name}.safetensors", weights)
            found = {"weights": f"{name}.safetensors", "weights_sha256": hashlib.sha256(weights).hexdigest()}
            result = {**result, **found}
        self._create(f"{KIND}/{name}.json", to_document(result))
        for state in self._states(name):
            self._folder.remove(f"{KIND}/{state}")

    def _create(self, name: str, data: bytes) -> None:
        """One that is in the way was left by an interrupted attempt, or is damaged."""
        try:
            self._folder.create(name, data)
        except FileExistsError:
            self._folder.remove(name)
            self._folder.create(name, data)

    def _states(self, name: str) -> list[str]:
        names = self._folder.names(KIND)
        return sorted(own for own in names if own.startswith(f"{name}-") and own.endswith(".state"))


def read_weights(folder: Folder, row: Mapping[str, Any]) -> bytes:
    """The weights that a row of `read_final` names.

    Raises:
        UserError: they are not there, or damaged.
    """
    path = f"{folder}/{KIND}/{row['weights']}"
    record = f"{folder}/{KIND}/{row['weights'].rpartition('-')[0]}.parquet"
    remedy = f"restore it from a copy, or remove {record}, and evonas train makes both again"
    try:
        data = folder.read(f"{KIND}/{row['weights']}")
    except FileNotFoundError:
        raise UserError(f"{path} is not there any more; {remedy}") from None
    if hashlib.sha256(data).hexdigest() != row["weights_sha256"]:
        raise UserError(f"{path} is damaged: its SHA-256 is not the recorded one; {remedy}")
    return data


def _rows(folder: Folder, name: str, schema: pa.Schema) -> Iterable[dict[str, Any]]:
    path = f"{KIND}/{name}"
    try:
        file = pq.ParquetFile(pa.BufferReader(folder.read(path)), page_checksum_verification=True)
        table = file.read(use_threads=False)
        recorded = (table.schema.metadata or {}).get(_DIGEST)
        rows: list[dict[str, Any]] = table.cast(schema).to_pylist(maps_as_pydicts="strict")
        if recorded != _digest(rows):
            raise ValueError("the SHA-256 of its rows is not the recorded one")
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{folder}/{path} is damaged: {what}; restore it from a copy, or remove it") from None
    return rows


def _parquet(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    digest = _digest(table.to_pylist(maps_as_pydicts="strict"))
    pq.write_table(table.replace_schema_metadata({_DIGEST: digest}), sink, compression="zstd", write_page_checksum=True)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _digest(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Of all rows: the checksums of Parquet's pages leave its headers and its schema out."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest().encode()


def recipe_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The training section by which a row was trained."""
    recipe: dict[str, Any] = json.loads(row["training"])
    return recipe
