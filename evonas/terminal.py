"""What people see in a terminal: a search with its front, plain lines elsewhere, and tables of what was found."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from evonas import figures
from evonas.driver.loop import Search, Watch
from evonas.driver.snapshot import ProgressMeter
from evonas.figures.picture import BLUE, RED, Line, Picture, Points, objective_axis
from evonas.figures.text_drawing import SMALLEST
from evonas.records import Evaluation, Fitness
from evonas.runs.run import Run

LINE_EVERY_S = 10.0
REFRESH_S = 0.5
RECENT = 8
PLOT_WIDTH, PLOT_HEIGHT = (40, 72), 17
"""Characters. Where less than the least is left beside a table, the plot is above it."""
AROUND = 6
"""Lines of a screen that are neither plot nor rows: two of status, the head and the frame of the table."""
MOST = 500
"""Fully trained candidates that the plot of a running search shows, the newest."""


class StatusLine:
    """One line about a search: evaluated, front, hypervolume, workers, time."""

    def __init__(self) -> None:
        self._meter = ProgressMeter()
        self._from: tuple[int, float] | None = None  # evaluated and seconds when this start began

    def text(self, search: Search) -> str:
        now, budget = self._meter.read(search), search.config.budget.evaluations
        parts = [
            f"{now.evaluated:,}{f'/{budget:,}' if budget else ''} evaluated",
            f"front {now.front}",
            *([] if now.hypervolume is None else [f"hypervolume {now.hypervolume:.2f}x"]),
            f"{now.busy}/{now.workers} busy",
            f"{clock(search.elapsed_s)} elapsed",
            *self._ending(search),
        ]
        return ", ".join([*parts, *([f"{now.failed} failed"] if now.failed else []), *search.runtime.notes])

    def _ending(self, search: Search) -> list[str]:
        if search.ended:
            return [f"{search.ended}: finishing {search.runtime.pending}"] if search.runtime.pending else []
        left = self._left_s(search)
        return [] if left is None else [f"{clock(left)} left"]

    def _left_s(self, search: Search) -> float | None:
        """Seconds to the end at the present pace; the nearest end counts."""
        budget, evaluated, elapsed = search.config.budget, search.evaluated, search.elapsed_s
        self._from = self._from or (evaluated, elapsed)
        ends: list[float] = []
        if budget.hours:
            ends.append(budget.hours * 3600 - elapsed)
        if budget.evaluations and evaluated > self._from[0]:
            ends.append((budget.evaluations - evaluated) * (elapsed - self._from[1]) / (evaluated - self._from[0]))
        return max(0.0, min(ends)) if ends else None


def advice(search: Search) -> str:
    """A line for who has more workers than the window can feed; empty for the others."""
    workers, lookahead = search.runtime.workers, search.config.lookahead
    if search.config.schedule.mode != "window" or workers == 1 or lookahead >= 2 * workers:
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
            self._live.update(self._shown(search))

    def _shown(self, search: Search) -> RenderableType:
        console = self._live.console
        line, picture = Text(self._line.text(search)), live_front(search)
        if not picture:
            return Group(line, self._table(search, RECENT))
        both = beside(picture, self._table(search, RECENT), console)
        if isinstance(both, Group):  # one above the other: what does not fit would be cut off at the bottom
            room = console.height - AROUND
            height = max(SMALLEST[1], min(PLOT_HEIGHT, room - RECENT // 2))
            both = beside(picture, self._table(search, max(1, min(RECENT, room - height))), console, height)
        return Group(line, both)

    def _table(self, search: Search, rows: int) -> Table:
        """The newest decisions, so many of them."""
        names = [escape(name) for name in search.objectives.names]
        table = Table("candidate", "status", *names, "bred by")
        for evaluation in self._recent[-rows:]:
            metrics = evaluation.metrics
            known = [number(metrics[name]) if name in metrics else "" for name in search.objectives.names]
            candidate = evaluation.candidate
            table.add_row(str(candidate.index), evaluation.status.value, *known, candidate.operator)
        return table


def live_front(search: Search) -> Picture | None:
    """Two objectives of what a running search has fully trained, and its front; None before there is any."""
    buffer, goals = search.breeder.buffer, search.objectives.objectives
    if len(goals) < 2 or not buffer.front:
        return None
    trained = [fitness for fitness in buffer.fully_trained(buffer.order[-MOST:]) if fitness.violation == 0]
    up, across = goals[:2]

    def values(fitnesses: Sequence[Fitness], objective: int) -> list[float]:
        return [fitness.values[objective] * goals[objective].sign for fitness in fitnesses]

    front = sorted(buffer.front, key=lambda fitness: fitness.values[1])
    cloud = Points("fully trained", values(trained, 1), values(trained, 0), BLUE)
    name, x, y = f"Pareto front ({len(front)})", values(front, 1), values(front, 0)
    member = Points(name, x, y, RED, size=8) if len(goals) > 2 else Line(name, x, y, RED, step=True, markers=True)
    axes = [
        objective_axis({"column": goal.key, "unit": goal.unit, "sign": goal.sign}, arrow, [*near, *members])
        for goal, arrow, near, members in ((across, "x", cloud.x, x), (up, "y", cloud.y, y))
    ]
    return Picture("", axes[0], axes[1], [cloud, member])


def beside(picture: Picture, table: Table, console: Console, height: int = PLOT_HEIGHT) -> RenderableType:
    """A plot with a table at its right, or above it where the terminal is narrow; the table alone without Unicode."""
    if console.options.ascii_only:
        return table
    least, most = PLOT_WIDTH
    left = console.width - Measurement.get(console, console.options, table).maximum - 2
    narrow = left < least
    plot = Text.from_ansi(figures.as_text(picture, min(most, console.width if narrow else left), height))
    plot.no_wrap = True
    if narrow:
        return Group(plot, table)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row(plot, table)
    return grid


def show_front(run: Run, front: pd.DataFrame, console: Console, plot: bool) -> None:
    """The front as a table for people, with a plot of all candidates where the run has two objectives.

    front: rows of `run.front()`.
    """
    if front.empty:
        none = "the front is empty: no candidate was fully trained within the limits"
        console.print(none if run.front().empty else "no network of the front meets every --where", soft_wrap=True)
        return
    table = frame_table(chosen_by(run, front).drop(columns="arch"), f"front: {len(front)} networks")
    if plot and len(run.objectives) > 1:
        console.print(beside(figures.pareto(run, generations=0, front=front), table, console))
    else:
        console.print(table)


def chosen_by(run: Run, front: pd.DataFrame) -> pd.DataFrame:
    """The columns that a person chooses by."""
    costs = [name for name in ("params", "macs") if name not in run.objectives]
    columns = ["candidate", *run.objectives, *costs, "generation", "arch"]
    return front[columns].astype(dict.fromkeys(("params", "macs"), "int64"))


def written(table: pd.DataFrame | Iterable[Mapping[str, Any]], form: str) -> str:
    """A table for programs: csv, or json with a record a row."""
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table))
    if form == "json":
        return frame.to_json(orient="records", indent=1, double_precision=15) + "\n"
    return frame.map(lambda value: json.dumps(value) if isinstance(value, list) else value).to_csv(index=False)


def frame_table(frame: pd.DataFrame, title: str = "") -> Table:
    """A data frame as a table for people; numbers with four digits."""
    table = Table(title=title or None, title_justify="left")
    for name in frame:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        table.add_column(escape(str(name)), justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis")
    for row in frame.itertuples(index=False):
        table.add_row(*map(_cell, row))
    return table


def _cell(value: Any) -> str:
    if value is pd.NA:
        return "-"
    return number(value) if isinstance(value, int | float) else escape(str(value))


def number(value: float) -> str:
    """Whole numbers in full, others with four significant digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
