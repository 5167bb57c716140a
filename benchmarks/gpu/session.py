"""One session on a GPU: how much time is left, and the rows that are told."""

import json
import multiprocessing
import time
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Session:
    """What the sections share.

    Args:
        file: Rows are appended to it, a JSON object a line.
        seconds: How long the session may take.
        dry: It runs on a CPU, small, to see that it runs.
    """

    def __init__(self, file: Path, seconds: float, dry: bool) -> None:
        self.file, self.dry = file, dry
        self.device = "cpu" if dry else "cuda"
        self.rows: list[Row] = []
        self._until = time.monotonic() + seconds
        file.write_text("")

    @property
    def left_s(self) -> float:
        """How many seconds are left."""
        return self._until - time.monotonic()

    @property
    def processes(self) -> BaseContext:
        """Where processes come from: forks of one that has everything imported and no CUDA context, as workers are."""
        if self.dry:
            return multiprocessing.get_context("fork")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["gpu.subject"])
        return context

    def tell(self, section: str, **values: Any) -> None:
        """Prints a row and keeps it."""
        row = {"section": section, **{name: _short(value) for name, value in values.items()}}
        self.rows.append(row)
        line = json.dumps(row, default=str)
        print(line, flush=True)
        with self.file.open("a") as file:
            file.write(line + "\n")

    def found(self, section: str, **wanted: Any) -> list[Row]:
        """The rows of a section that have these values."""
        return [row for row in self.rows if row["section"] == section and wanted.items() <= row.items()]


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
