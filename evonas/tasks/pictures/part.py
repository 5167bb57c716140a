"""Pictures that are being decoded into a file: which of them have reached the disk is noted, and gone on from."""

import contextlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from evonas.tasks.pictures.decoding import Depth, step_of
from evonas.tasks.pictures.sources import Becomes
from evonas.tasks.pictures.tally import Tally
from evonas.tasks.task import Array

PIXELS, BLOCKS = "pixels.npy", "blocks.jsonl"
FLUSH_S = 5.0
"""What is lost at most by a crash, and by a power cut."""


class Part:
    """A folder with a file of pixels, whose place on the disk is taken at once, and a list of blocks that are in it.

    Args:
        folder: what is there of the same pictures is gone on with, everything else is removed.
        shape: (n, channels, height, width).
        depth: of the pictures.
        form: of them.

    Raises:
        OSError: it cannot be written, or has no room.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], depth: Depth, form: Becomes) -> None:
        self._folder, self.shape, self._dtype, self._step = folder, shape, depth.dtype, step_of(form, depth)
        self.tally, self.done = Tally(), set[int]()
        self._waiting: list[str] = []
        self._flushed = time.monotonic()
        if not self._resumed():
            self._begun()
        pixels = np.lib.format.open_memmap(folder / PIXELS, mode="r")
        self._offset, self._row = int(pixels.offset), pixels[:1].nbytes
        self._file = os.open(folder / PIXELS, os.O_RDWR)
        self._blocks = (folder / BLOCKS).open("a")

    @property
    def pictures(self) -> int:
        """How many are in it."""
        return sum(min(self._step, self.shape[0] - start) for start in self.done)

    def write(self, start: int, pixels: Array) -> None:
        """Write a block, from any thread.

        Args:
            start: its first row.
            pixels: (k, channels, height, width).
        """
        view, at = np.ascontiguousarray(pixels).data.cast("B"), self._offset + start * self._row
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written

    def finished(self, start: int, tally: Tally) -> None:
        """Note that a block was written."""
        self.done.add(start)
        self.tally.merge(tally)
        self._waiting.append(json.dumps({"start": start, "tally": tally.plain()}))
        if time.monotonic() - self._flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Everything that is finished is on the disk and noted, in this order."""
        os.fsync(self._file)
        self._blocks.write("".join(f"{line}\n" for line in self._waiting))
        self._blocks.flush()
        self._waiting.clear()
        self._flushed = time.monotonic()

    def close(self) -> None:
        """Note what an interruption leaves; nothing is written any more."""
        with contextlib.suppress(OSError):
            self.flush()
        self._blocks.close()
        os.close(self._file)

    @property
    def _head(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "dtype": self._dtype.name, "step": self._step}

    def _resumed(self) -> bool:
        """Read what there is; whether it can be gone on with."""
        tally, done = Tally(), set[int]()
        try:
            if np.lib.format.open_memmap(self._folder / PIXELS, mode="r").shape != self.shape:
                return False
            head, *lines = (self._folder / BLOCKS).read_text().splitlines(keepends=True)
            if json.loads(head) != self._head:
                return False
            for line in lines:
                if line.endswith("\n"):  # else a crash has torn it
                    block = json.loads(line)
                    tally.merge(Tally.of_plain(block["tally"]))
                    done.add(int(block["start"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False
        self.tally, self.done = tally, done
        return True

    def _begun(self) -> None:
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._folder.mkdir()
        try:
            np.lib.format.open_memmap(self._folder / PIXELS, "w+", self._dtype, self.shape)
            with (self._folder / PIXELS).open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            (self._folder / BLOCKS).write_text(json.dumps(self._head) + "\n")
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
