"""How a search is doing, in one line: of the command line, of a script, of a notebook; and failures that repeat."""

import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evonas.driver.circuit_breaker import alike
from evonas.driver.loop import Search, Watch
from evonas.driver.snapshot import ProgressMeter
from evonas.paths import from_here
from evonas.records import Evaluation
from evonas.text import clock, in_usd

LINE_EVERY_S = 10.0
"""Between two lines where lines stay, as in the log of a job."""
REFRESH_S = 0.5
"""Between two states of a line that is written over."""
REPEATS = 3
"""A failure that has come so often is told, and again at twice as often."""


class StatusLine:
    """One line about a search: evaluated, front, hypervolume, workers, time."""

    def __init__(self) -> None:
        self._meter = ProgressMeter()
        self._from: tuple[int, float] | None = None  # evaluated and seconds when this start began

    def text(self, search: Search) -> str:
        now, budget = self._meter.read(search), search.config.budget.evaluations
        parts = [
            f"{search.evaluated_here:,}{f'/{budget:,}' if budget else ''} evaluated",
            *self._trained(search),
            *([f"{search.reused:,} re-used"] if search.reused else []),
            f"front {now.front}",
            *([] if now.hypervolume is None else [f"hypervolume {now.hypervolume:.2f}x"]),
            f"{now.busy}/{now.workers} busy",
            f"{clock(search.elapsed_s)} elapsed",
            *self._money(search),
            *self._ending(search),
        ]
        return ", ".join([*parts, *([f"{now.failed} failed"] if now.failed else []), *search.runtime.notes])

    def _trained(self, search: Search) -> list[str]:
        """Of how many the training has begun, where that is not all."""
        trained, budget = search.trained_here, search.config.budget.trained
        return [] if trained is None else [f"{trained:,}{f'/{budget:,}' if budget else ''} trained"]

    def _money(self, search: Search) -> list[str]:
        """What was spent, of how much; nothing where no node has a price."""
        usd, budget = search.usd, search.config.budget.usd
        return [] if usd is None else [f"${usd:.2f} spent{f' of {in_usd(budget)}' if budget else ''}"]

    def _ending(self, search: Search) -> list[str]:
        if search.doing:
            return [search.doing]
        if search.ended:
            return [f"{search.ended}: finishing {search.runtime.pending}"] if search.runtime.pending else []
        left = self._left_s(search)
        return [] if left is None else [f"{clock(left)} left"]

    def _left_s(self, search: Search) -> float | None:
        """Seconds to the end at the present pace; the nearest end counts."""
        budget, evaluated, elapsed = search.config.budget, search.evaluated_here, search.elapsed_s
        self._from = self._from or (evaluated, elapsed)
        ends: list[float] = []
        if budget.hours:
            ends.append(budget.hours * 3600 - elapsed)
        if budget.usd and (per_hour := search.runtime.spent.usd_per_hour):
            ends.append((budget.usd - (search.usd or 0.0)) / per_hour * 3600)
        if budget.evaluations and evaluated > self._from[0]:
            ends.append((budget.evaluations - evaluated) * (elapsed - self._from[1]) / (evaluated - self._from[0]))
        return max(0.0, min(ends)) if ends else None


class RepeatedFailures:
    """Counts failures with one message, numbers in it aside."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._tell = dict[str, int]()

    def text(self, search: Search, evaluation: Evaluation | None) -> str:
        """What is to be told of the next evaluated candidate: "3 of 20: ..."; else empty."""
        if not evaluation or not evaluation.status.failed:
            return ""
        message = alike(evaluation)
        self._seen[message] += 1
        count = self._seen[message]
        if count < self._tell.get(message, REPEATS):
            return ""
        self._tell[message] = 2 * count
        told = f"{count} of {search.evaluated:,}: {evaluation.status.value}: {evaluation.message}"
        if not (evaluation.log and search.owner):
            return told
        return f"{told} (evonas log {shlex.quote(from_here(search.owner))} {evaluation.candidate.index})"


class Progress:
    """A watcher for scripts and notebooks: one line that is written over, on the standard error or below the cell.

    Where neither is, as in a log, a line each ten seconds.
    """

    def __init__(self) -> None:
        self._line, self._failures = StatusLine(), RepeatedFailures()
        self._notebook = _in_notebook()
        self._over = not self._notebook and sys.stderr.isatty()
        self._cell: Any = None
        self._next = time.monotonic() + (0 if self._over or self._notebook else LINE_EVERY_S)
        self._last = ""
        self._told: list[str] = []

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        if told := self._failures.text(search, evaluation):
            self._told.append(told)
            if not self._notebook:
                self._write(told, stays=True)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + (REFRESH_S if self._over or self._notebook else LINE_EVERY_S)
            self._write(self._line.text(search), stays=not self._over)

    def close(self, search: Search) -> None:
        """Leave the last state."""
        self._write(self._line.text(search), stays=True)

    def _write(self, text: str, stays: bool) -> None:
        text = "".join(c if c.isprintable() else " " for c in text)
        if self._notebook:
            self._show("\n".join([*self._told, text]))
        elif self._over:
            shown = text if stays else text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[2K{shown}", end="\n" if stays else "", file=sys.stderr, flush=True)
        elif text != self._last:
            print(text, file=sys.stderr, flush=True)
        self._last = text

    def _show(self, text: str) -> None:
        from IPython import display

        data = {"text/plain": text}
        if self._cell is None:
            self._cell = display.display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        elif self._cell:
            self._cell.update(data, raw=True)


@contextmanager
def shown(watch: Watch) -> Iterator[Watch]:
    """The watcher with a line of progress beside it."""
    line = Progress()
    seen: list[Search] = []

    def both(search: Search, evaluation: Evaluation | None) -> None:
        seen[:] = [search]
        line(search, evaluation)
        watch(search, evaluation)

    try:
        yield both
    finally:
        for search in seen:
            line.close(search)


def _in_notebook() -> bool:
    """Whether a kernel runs us, which shows what is displayed below the cell."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")
