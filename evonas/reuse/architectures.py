"""Known architectures as founders: given as data, of a file, or of the front of a run."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.records import Status
from evonas.runs.run import Run
from evonas.spaces import Arch
from evonas.store import is_run, open_folder

Architectures = str | Path | Sequence[Mapping[str, Any] | Arch]
RIGHT = "a list of architectures, each as in the column arch"
PARQUET = b"PAR1"
"""What such a file begins with."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Architectures as plain data, which no space has looked at yet.

    Args:
        architectures: in the order of the source; of a front, best in the first objective first.
        names: of each one, for messages: its candidate in a run, its entry in a file.
        space: the genes of the run they are of; empty of a file.
    """

    architectures: Sequence[dict[str, Any]]
    names: Sequence[str]
    space: str = ""


def listed(source: str) -> Listed:
    """The architectures of a file or a run.

    Args:
        source: a JSON, YAML or Parquet file of a list of them, as `evonas front RUN --format json` writes it, of whose
            rows those count that were trained to the end; or a run, whose front they are then.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if "://" not in source:
        path = expanded(source, "founders")
        if not path.is_dir():
            found = architectures(_read(path, source), f"founders: {source}")
            return Listed(found, [f"entry {place}" for place in range(len(found))])
        source = str(path)
    if not is_run(open_folder(source)):
        raise UserError(f"founders: {source} is no run; give a run, or a file with {RIGHT}")
    run = Run(source)
    front = run.front()
    names = [f"candidate {index}" for index in front["candidate"]]
    return Listed([json.loads(arch) for arch in front["arch"]], names, run.description["space"])


def architectures(entries: Any, where: str = "founders") -> list[dict[str, Any]]:
    """Architectures as plain data.

    Args:
        entries: a list of them, or of rows that have them as `arch`.
        where: they are from, for messages.

    Raises:
        UserError: it is no list, or an entry is something else.
    """
    if isinstance(entries, str | bytes) or not isinstance(entries, Sequence):
        raise UserError(f"{where} holds {type(entries).__name__}, not {RIGHT}")
    return [_plain(part, where, place) for place, part in enumerate(entries)]


def _read(path: Path, source: str) -> Any:
    """What a file holds."""
    try:
        data = path.read_bytes()
        if data.startswith(PARQUET):
            return _rows(pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False), source)
        return yaml.safe_load(data.decode())  # JSON is YAML
    except FileNotFoundError:
        raise UserError(f"founders: there is no file or run {source}") from None
    except OSError as error:
        raise UserError(f"founders: {source} cannot be read: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, pa.ArrowInvalid):
        raise UserError(f"founders: {source} is neither JSON nor YAML nor Parquet") from None


def _rows(table: pa.Table, source: str) -> list[dict[str, Any]]:
    """The rows of a table of candidates, each network once."""
    if "arch" not in table.column_names:
        raise UserError(f"founders: {source} has no column arch; give {RIGHT}")
    rows = table.select([name for name in ("candidate", "arch", "status") if name in table.column_names]).to_pylist()
    trained = {row["arch"]: row for row in rows if row.get("status", Status.OK) == Status.OK}
    return [{"candidate": None, **row} for row in trained.values()]


def _plain(part: Any, where: str, place: int) -> dict[str, Any]:
    """One architecture; rows of a front have it as `arch`, those of a table as text."""
    if isinstance(part, Mapping) and {"candidate", "arch"} <= part.keys():
        part = part["arch"]
    if isinstance(part, str):
        with suppress(ValueError):  # it is some other text
            part = json.loads(part)
    if isinstance(part, Arch):
        return part.to_dict()
    if not isinstance(part, Mapping):
        raise UserError(f"{where}: entry {place} is {part!r:.60}, not a section of genes")
    return dict(part)
