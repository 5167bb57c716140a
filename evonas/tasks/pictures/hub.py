"""Pictures in a column of tables that the `datasets` library reads."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.tasks.pictures.sources import as_it_is


class DataSet(NamedTuple):
    """A data set of the hub, or a folder that `save_to_disk` wrote.

    Attributes:
        name: of it, or the folder.
        config: which variant of it.
        revision: which version of it.
    """

    name: str
    config: str | None
    revision: str | None

    def load(self) -> dict[str, Any]:
        """Split name -> table.

        Raises:
            UserError: `datasets` is missing, or it cannot be loaded.
        """
        try:
            import datasets
        except ImportError:
            raise UserError(f"task huggingface needs datasets: {how_to_install('huggingface')}") from None
        name, config, revision = self
        saved = Path(name).is_dir() and any((Path(name) / f).exists() for f in ("dataset_dict.json", "state.json"))
        try:
            loaded = datasets.load_from_disk(name) if saved else datasets.load_dataset(name, config, revision=revision)
        except Exception as error:  # whatever hub, network and file formats raise
            lines = str(error).splitlines() or [type(error).__name__]
            cure = "without a network: HF_HOME with a copy and HF_HUB_OFFLINE=1, or a folder that save_to_disk wrote"
            raise UserError(f"task.name: cannot load {name!r}: {lines[0]}; {cure}") from None
        return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


class TableRows:
    """Pictures in rows of tables, one table behind another; see `Sources`.

    Args:
        data: where the tables come from, for other machines.
        column: of the pictures.
        splits: names of the splits, in order.
        tables: name of a split -> its table.
    """

    noun = "picture"

    def __init__(self, data: DataSet, column: str, splits: Sequence[str], tables: Mapping[str, Any]) -> None:
        if Path(data.name).is_dir():  # workers have a working folder of their own
            data = data._replace(name=os.path.abspath(data.name))
        self._data, self._column, self._splits = data, column, tuple(splits)
        self._tables: dict[str, Any] | None = {name: tables[name] for name in splits}
        self._ends = tuple(accumulate(len(tables[name]) for name in splits))
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tables": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    @property
    def name(self) -> str:
        return Path(self._data.name).name

    def __len__(self) -> int:
        return self._ends[-1]

    def called(self, row: int) -> str:
        split, own = self._place(row)
        return f"{self._column} of example {own} of {split}"

    def opened(self, row: int) -> AbstractContextManager[Any]:
        split, own = self._place(row)
        opened: AbstractContextManager[Any] = self._table(split)[own][self._column]
        return opened

    def state(self) -> Iterator[str] | None:
        """The files that `datasets` maps; None where the tables are in memory alone."""
        tables = [(split, self._table(split)) for split in self._splits]
        return self._state(tables) if all(table.cache_files for _, table in tables) else None

    def _state(self, tables: Sequence[tuple[str, Any]]) -> Iterator[str]:
        yield self._column
        for split, table in tables:
            yield f"{split} {len(table)}"
            for file in table.cache_files:
                yield f"{file['filename']}\0{as_it_is(file['filename'])}"
            yield from self._elsewhere(table)

    def _elsewhere(self, table: Any) -> Iterator[str]:
        """Files of pictures, where the table has their paths alone."""
        feature = table.features[self._column]
        if not hasattr(feature, "decode") or not len(table):
            return
        plain = table.select_columns([self._column]).cast_column(self._column, type(feature)(decode=False))
        first = plain[0][self._column] or {}
        if first.get("bytes") is None:
            for row in plain:
                path = (row[self._column] or {}).get("path") or ""
                yield f"{path}\0{as_it_is(path)}"

    def _table(self, split: str) -> Any:
        with self._lock:
            if self._tables is None:
                self._tables = self._data.load()
            return self._tables[split]

    def _place(self, row: int) -> tuple[str, int]:
        """The split of a row, and its row there."""
        part = next(part for part, end in enumerate(self._ends) if row < end)
        return self._splits[part], row - (self._ends[part - 1] if part else 0)
