"""One session on a GPU: how much time is left, and the rows that are told."""

import json
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import psutil

Row = dict[str, Any]


class Session:
    """What the sections share.

    Args:
        file: Rows are appended to it, a JSON object a line, with the commit of the code and when they were told.
        seconds: How long the session may take.
        dry: It runs on a CPU, small, to see that it runs.
    """

    def __init__(self, file: Path, seconds: float, dry: bool) -> None:
        self.file, self.dry = file, dry
        self.device = "cpu" if dry else "cuda"
        self.rows: list[Row] = []
        self._until = time.monotonic() + seconds
        self._commit = commit()

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

    def lacks(self, seconds: float, section: str, **what: Any) -> bool:
        """Whether there is no time left for a part of a section, which a row then says. Dry, all take a moment.

        Args:
            seconds: How long it takes.
            section: Of the part.
            what: The part.
        """
        if self.left_s > (0 if self.dry else seconds):
            return False
        self.tell(section, **what, skipped=f"{max(0.0, self.left_s):.0f} s left, of {seconds:g} that it takes")
        return True

    def wait_s(self, most: float) -> float:
        """How long to wait for what takes no more than so many seconds: no longer than the session lasts."""
        return max(0.1, min(most, self.left_s))

    def end_at_last(self, grace_s: float, last: Callable[[], None]) -> threading.Timer:
        """Ends this process and those that it has started so long after the session's time: something hangs, which
        would be paid for. Who has come to an end cancels it.

        Args:
            grace_s: How long after its time.
            last: Called before the end.
        """
        timer = threading.Timer(self.left_s + grace_s, self._end, [last])
        timer.daemon = True
        timer.start()
        return timer

    def _end(self, last: Callable[[], None]) -> None:
        try:
            self.tell("end", error="something hangs; all is ended")
            for process in psutil.Process().children(recursive=True):
                process.kill()
            last()
        finally:
            os._exit(1)

    def tell(self, section: str, **values: Any) -> None:
        """Prints a row and keeps it."""
        row = {"section": section, **{name: _short(value) for name, value in values.items()}}
        stamp = {"commit": self._commit, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        self.rows.append(row)
        line = json.dumps(row, default=str)
        print(line, flush=True)
        with self.file.open("a+b") as file:
            if file.tell() and self.file.read_bytes()[-1:] != b"\n":  # what wrote it before was cut off in a line
                file.write(b"\n")
            file.write((json.dumps({**row, **stamp}, default=str) + "\n").encode())

    def found(self, section: str, **wanted: Any) -> list[Row]:
        """The rows of a section that have these values."""
        return [row for row in self.rows if row["section"] == section and wanted.items() <= row.items()]


def commit() -> str:
    """The commit of this checkout, with `-dirty` where something was changed; empty where git cannot tell."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(git, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
