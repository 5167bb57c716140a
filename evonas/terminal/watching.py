"""A running search in a terminal: its front and newest decisions while it grows, or a line now and then in a file."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from evonas.driver.loop import Search, Watch
from evonas.driver.progress import LINE_EVERY_S, REFRESH_S, StatusLine
from evonas.figures.picture import BLUE, RED, Line, Picture, Points, objective_axis
from evonas.figures.text_drawing import SMALLEST
from evonas.records import Evaluation, Fitness
from evonas.terminal.notes import Notes, OtherMeasurements
from evonas.terminal.tables import PLOT_HEIGHT, beside, number

RECENT = 8
"""Newest decisions that are shown."""
AROUND = 6
"""Lines of a screen that are neither plot nor rows: two of status, the head and the frame of the table."""
MOST = 500
"""Fully trained candidates that the plot of a running search shows, the newest."""


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """A watcher for the time of a search. Where that ends by an error or an interruption, its last screen stays."""
    console.print("starting workers", soft_wrap=True)
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            try:
                yield _Screen(live)
            except BaseException:
                live.transient = live.renderable == ""  # nothing was shown yet
                raise
    else:
        yield _Lines(console)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._line, self._notes, self._others = StatusLine(), Notes(), OtherMeasurements()
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        for note in self._notes.lines(search, evaluation):
            self._console.print(note, soft_wrap=True, markup=False)
        self._others.look(search, evaluation)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self._console.print(", ".join(filter(None, (self._line.text(search), self._others.text))), soft_wrap=True)


class _Screen:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._line, self._notes, self._others = StatusLine(), Notes(), OtherMeasurements()
        self._recent: list[Evaluation] = []
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        for note in self._notes.lines(search, evaluation):
            self._live.console.print(note, soft_wrap=True, markup=False)
        if evaluation:
            self._recent = [*self._recent, evaluation][-RECENT:]
        self._others.look(search, evaluation)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_S
            self._live.update(self._shown(search))

    def _shown(self, search: Search) -> RenderableType:
        console = self._live.console
        line = Text(", ".join(filter(None, (self._line.text(search), self._others.text))))
        picture = live_front(search)
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
