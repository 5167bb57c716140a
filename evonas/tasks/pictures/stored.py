"""Pictures that are read from the cache where they are wanted; on a machine without them they are decoded there."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.pictures.bound import TOLD_EVERY_S, use
from evonas.tasks.pictures.cache import Kept, kept, key_of, mapped
from evonas.tasks.pictures.place import Cache, place_of
from evonas.tasks.pictures.progress import Silent
from evonas.tasks.pictures.sources import Becomes, Sources
from evonas.tasks.task import Array

THREADS = 4
"""That decode in a worker, whose memory is a share of the machine's: each holds a picture as large as it is stored."""


class DecodedPictures:
    """A `StoredArray` (n, channels, height, width) of decoded pictures.

    Mapped pages are the file's: processes share them, and they count in no worker's share of memory. A pickle says
    where the pictures are and what they become, and holds none.

    Args:
        found: the pictures on this machine.
        sources: what they were decoded from, for other machines.
        form: what they became.
        cache: of the config.
        key: of the config that says where the pictures are, for messages.
    """

    def __init__(self, found: Kept, sources: Sources, form: Becomes, cache: Cache, key: str) -> None:
        self._file, self._sources, self._form = found.file, sources, form
        self._cache, self._key = cache, key
        self._mapped: Array | None = mapped(found.file)
        self._told = time.monotonic()
        self._shape: tuple[int, ...] = self._mapped.shape
        self._dtype = self._mapped.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    def __len__(self) -> int:
        return self._shape[0]

    def __getstate__(self) -> Mapping[str, Any]:
        return {**self.__dict__, "_mapped": None}

    def rows(self, indices: Array) -> Array:
        """Read some pictures.

        Raises:
            UserError: on this machine they are not there, or others, or cannot be decoded into the cache.
        """
        if self._mapped is None:
            self._mapped, self._told = self._here(), -TOLD_EVERY_S
        if time.monotonic() - self._told > TOLD_EVERY_S:
            self._told = time.monotonic()
            use(self._file.parent)
        return self._mapped[indices]

    def _here(self) -> Array:
        """The pixels on this machine, decoded where it has none."""
        there = self._there()
        if there is not None and (there.shape, there.dtype) == (self._shape, self._dtype):
            return there
        folder, name = place_of(self._cache), key_of(self._sources, self._form)
        if folder is None or name is None:
            raise UserError(f"{self._key}: no file {self._file}; it must lie there on each machine that trains")
        try:
            found = kept(self._sources, self._form, folder, name, Silent(), self._key, THREADS)
            self._file, pixels = found.file, mapped(found.file)
        except OSError as error:
            raise UserError(f"task.cache: {folder}: {error.strerror or error}") from None
        if (pixels.shape, pixels.dtype) != (self._shape, self._dtype):
            raise UserError(f"{self._key}: the pictures are not those that the search began with")
        return pixels

    def _there(self) -> Array | None:
        try:
            return mapped(self._file)
        except (OSError, ValueError):
            return None
