"""What a search shows while it runs: a live table in a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from evonas import pareto
from evonas.loop import Search, Watch
from evonas.records import Evaluation, Standing

LINE_EVERY_S = 10.0
REFRESH_S = 0.5
RECENT = 8


@dataclass(slots=True)
class Yardstick:
    """Hypervolume in multiples of what the first generation reached; its worst values are the reference point."""

    _reference: list[float] = field(default_factory=list)
    _unit: float = 0.0

    def measure(self, front: Sequence[Standing], first: Iterable[Standing]) -> float | None:
        """first: those of the first generation that are fully trained. None while they have no front that dominates
        anything."""
        if not self._reference:
            early = [s for s in first if s.violation == 0]
            if len(early) < 2:
                return None
            values = pareto.points(early)
            self._reference = (values.max(0) + 0.1 * (values.max(0) - values.min(0))).tolist()
            self._unit = pareto.hypervolume(early, self._reference)
        return pareto.hypervolume(front, self._reference) / self._unit if self._unit else None


class StatusLine:
    """One line about a search: decided, front, hypervolume, workers, time."""

    def __init__(self) -> None:
        self._yardstick = Yardstick()
        self._from: tuple[int, float] | None = None  # decided and seconds when this start began

    def text(self, search: Search) -> str:
        ledger, size = search.breeder.ledger, search.config.strategy.population
        first = ledger.fully_trained(ledger.order[:size])
        volume = self._yardstick.measure(ledger.front, first) if len(ledger.order) >= size else None
        budget = search.config.budget.evaluations
        parts = [
            f"{search.decided:,}{f'/{budget:,}' if budget else ''} decided",
            f"front {len(ledger.front)}",
            *([f"hypervolume {volume:.2f}x"] if volume is not None else []),
            f"{search.runtime.busy}/{search.runtime.workers} busy",
            f"{clock(search.elapsed_s)} elapsed",
            *self._ending(search),
        ]
        failed = sum(n for status, n in search.statuses.items() if status.startswith("failed"))
        return ", ".join([*parts, *([f"{failed} failed"] if failed else []), *search.runtime.notes])

    def _ending(self, search: Search) -> list[str]:
        if search.ended:
            return [f"{search.ended}: finishing {search.runtime.open}"] if search.runtime.open else []
        left = self._left_s(search)
        return [] if left is None else [f"{clock(left)} left"]

    def _left_s(self, search: Search) -> float | None:
        """Seconds to the end at the present pace; the nearest end counts."""
        budget, decided, elapsed = search.config.budget, search.decided, search.elapsed_s
        self._from = self._from or (decided, elapsed)
        ends: list[float] = []
        if budget.hours:
            ends.append(budget.hours * 3600 - elapsed)
        if budget.evaluations and decided > self._from[0]:
            ends.append((budget.evaluations - decided) * (elapsed - self._from[1]) / (decided - self._from[0]))
        return max(0.0, min(ends)) if ends else None


def advice(search: Search) -> str:
    """A line for who has more workers than the window can feed; empty for the others."""
    workers, lookahead = search.runtime.workers, search.config.lookahead
    if search.config.schedule.mode != "window" or lookahead >= 2 * workers:
        return ""
    return f"note: lookahead {lookahead} cannot keep {workers} workers busy; they want schedule.lookahead={4 * workers}"


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """A watcher for the time of a search."""
    console.print("starting workers", soft_wrap=True)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield _Screen(live)
    else:
        yield _Lines(console)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = StatusLine()
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        if not self._next and (note := advice(search)):
            self._console.print(note, soft_wrap=True)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self._console.print(self._line.text(search), soft_wrap=True)


class _Screen:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._line = StatusLine()
        self._recent: list[Evaluation] = []
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        if not self._next and (note := advice(search)):
            self._live.console.print(note, soft_wrap=True)
        if evaluation:
            self._recent = [*self._recent, evaluation][-RECENT:]
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_S
            self._live.update(self._table(search))

    def _table(self, search: Search) -> Table:
        names = [escape(name) for name in search.objectives.names]
        table = Table("candidate", "status", *names, "bred by", title=self._line.text(search), title_justify="left")
        for evaluation in self._recent:
            metrics = evaluation.metrics
            known = [number(metrics[name]) if name in metrics else "" for name in search.objectives.names]
            candidate = evaluation.candidate
            table.add_row(str(candidate.index), evaluation.status.value, *known, candidate.operator)
        return table


def frame_table(frame: pd.DataFrame, title: str = "") -> Table:
    """A data frame as a table for people; numbers with four digits."""
    table = Table(title=title or None, title_justify="left")
    for name in frame:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(escape(str(name)), justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis")
    for row in frame.itertuples(index=False):
        table.add_row(*(number(value) if isinstance(value, int | float) else escape(str(value)) for value in row))
    return table


def number(value: float) -> str:
    """Whole numbers in full, others with four significant digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
