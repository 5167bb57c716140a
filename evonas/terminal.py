"""What people see in a terminal: a search with its front, plain lines elsewhere, and tables of what was found."""

import json
import os
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

from evonas import analysis, figures
from evonas.driver.budget_forecast import forecast
from evonas.driver.cost_forecast import cost_forecast
from evonas.driver.loop import Search, Watch
from evonas.driver.progress import LINE_EVERY_S, REFRESH_S, RepeatedFailures, StatusLine
from evonas.figures.picture import BLUE, RED, Line, Picture, Points, objective_axis
from evonas.figures.text_drawing import SMALLEST
from evonas.measuring.device_lock import DeviceLock
from evonas.records import Evaluation, Fitness
from evonas.runs.empty_front import why_empty
from evonas.runs.run import Run
from evonas.text import counted

LOOK_S, WORTH_SAYING_S = 1.0, 5.0
"""Longest time that one look at the measurements of others stands for; how much of them is worth a word."""
RECENT = 8
PLOT_WIDTH, PLOT_HEIGHT = (40, 72), 17
"""Characters. Where less than the least is left beside a table, the plot is above it."""
AROUND = 6
"""Lines of a screen that are neither plot nor rows: two of status, the head and the frame of the table."""
INTERVAL, MEASURED = "95 %", "measured."
"""How columns begin that have the interval of another one, and what was measured later."""
PROBABILITY, ALIKE = "p(front)", "alike"
"""How sure it is that a network is on the front, and which others it cannot be told from."""
FEW = 2
"""Networks that are named in a column; of the others it says how many there are."""
UNBOUNDED = 10_000
"""Characters: no table is as wide."""
MOST = 500
"""Fully trained candidates that the plot of a running search shows, the newest."""


def advice(search: Search) -> str:
    """A line for who has more workers than the window can feed; empty for the others."""
    workers, lookahead = search.runtime.workers, search.config.lookahead
    if search.config.schedule.mode != "window" or workers == 1 or lookahead >= 2 * workers:
        return ""
    return f"note: lookahead {lookahead} cannot keep {workers} workers busy; they want schedule.lookahead={4 * workers}"


class OtherMeasurements:
    """For how long a local search has found the processor taken by measurements of others, by looking now and then."""

    def __init__(self) -> None:
        self._lock: DeviceLock | None = None
        self._last = 0.0
        self._began = time.monotonic()
        self.waited_s = 0.0
        self.whose = ""

    def look(self, search: Search, evaluation: Evaluation | None) -> None:
        """To be called often; what passes between two looks counts as what the second finds.

        A serial search looks between candidates alone, and each of these says for how long it waited.
        """
        if search.config.runtime.address != "local":
            return
        serial = search.config.runtime.kind == "serial"
        if serial and evaluation:
            self.waited_s += evaluation.paused_s
        self._lock = self._lock or DeviceLock(["cpu"])
        now, whose = time.monotonic(), self._lock.measuring()
        if whose is not None and whose != search.owner and self._last:
            self.waited_s += 0 if serial else min(now - self._last, LOOK_S)
            self.whose = whose
        self._last = now

    @property
    def text(self) -> str:
        """What a person should know; empty while it is little."""
        if self.waited_s < WORTH_SAYING_S:
            return ""
        folder = os.path.relpath(self.whose) if os.path.isabs(self.whose) else self.whose
        whose = f"another search, {folder}" if folder else "another search"
        so_far = time.monotonic() - self._began
        return f"waits for measurements of {whose}: {self.waited_s:.0f} of {so_far:.0f} s so far"


class Forecast:
    """What fits into a budget of time, said once: when so many were evaluated that the pace is known."""

    def __init__(self) -> None:
        self._from: tuple[int, float] | None = None  # evaluated and seconds when this start began
        self._said = False

    def line(self, search: Search) -> str:
        """The line, when it is time for it; else empty."""
        self._from = self._from or (search.evaluated_here, search.elapsed_s)
        count, seconds = search.evaluated_here - self._from[0], search.elapsed_s - self._from[1]
        if self._said or not search.config.budget.hours or count < 2 * search.runtime.workers or seconds <= 0:
            return ""
        self._said = True
        return f"note: {forecast(search.config, count / seconds, search.evaluated_here, search.elapsed_s)}"


def cost_note(search: Search) -> str:
    """What the nodes that are there cost an hour, and at most; empty where no money is in play."""
    spent, runtime = search.runtime.spent, search.config.runtime
    if spent.usd is None and not (search.config.budget.usd or runtime.address != "local"):
        return ""
    return f"note: {cost_forecast(search.config, spent.usd_per_hour, spent.unpriced)}"


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
        self._line = StatusLine()
        self._failures = RepeatedFailures()
        self._forecast = Forecast()
        self._others = OtherMeasurements()
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        for note in filter(None, () if self._next else (advice(search), cost_note(search))):
            self._console.print(note, soft_wrap=True, markup=False)
        if told := self._failures.text(search, evaluation):
            self._console.print(told, soft_wrap=True, markup=False)
        if note := self._forecast.line(search):
            self._console.print(note, soft_wrap=True)
        self._others.look(search, evaluation)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self._console.print(", ".join(filter(None, (self._line.text(search), self._others.text))), soft_wrap=True)


class _Screen:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._line = StatusLine()
        self._failures = RepeatedFailures()
        self._forecast = Forecast()
        self._others = OtherMeasurements()
        self._recent: list[Evaluation] = []
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        for note in filter(None, () if self._next else (advice(search), cost_note(search))):
            self._live.console.print(note, soft_wrap=True, markup=False)
        if told := self._failures.text(search, evaluation):
            self._live.console.print(told, soft_wrap=True, markup=False)
        if note := self._forecast.line(search):
            self._live.console.print(note, soft_wrap=True)
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
        reason = why_empty(run.evaluations, run.front(), run.folder)
        none = f"the front is empty: {reason or 'no candidate was fully trained within the limits'}"
        met = "no network of the front meets every --where"
        console.print(escape(none) if run.front().empty else met, soft_wrap=True)
        return
    shown, title = for_people(run, chosen_by(run, front)), f"front: {counted(len(front), 'network')}"
    table = fitting_table(shown, title, console, run.objectives)
    if plot and len(run.objectives) > 1:
        console.print(beside(figures.pareto(run, generations=0, front=front), table, console))
    else:
        console.print(table)
    for remark in (*run.remarks(), *_of_final(run, shown)):
        console.print(escape(remark), soft_wrap=True)


def _of_final(run: Run, shown: pd.DataFrame) -> Iterator[str]:
    """What the figures on the test examples are, where there are some."""
    for name in shown:
        if str(name).startswith("test "):
            networks = counted(int(shown[name].notna().sum()), "network")
            yield f"{name}: of {networks} trained to the end, on examples that no search saw; mean over seeds"


def chosen_by(run: Run, front: pd.DataFrame) -> pd.DataFrame:
    """The columns that a person chooses by: objectives, each with its 95 % interval where one is known and with what
    was measured later (`measured.NAME`), how sure the front is, costs, architecture."""
    costs = [name for name in ("params", "macs") if name not in run.objectives]
    known = front.merge(_certainty(run, list(map(str, front))), "left", "candidate")
    sure = [name for name in known if name == "p_front" or str(name).endswith("indistinguishable")]
    objectives = [part for name in run.objectives for part in (name, *analysis.ends(name), *_measured(name))]
    later = run.measured.set_index("candidate").add_prefix(MEASURED).reset_index()
    known = known.merge(later[["candidate", *(name for name in later if name in objectives)]], "left")
    known, tested = _with_final(run, known)
    columns = [
        name for name in ("candidate", *objectives, *tested, *sure, *costs, "generation", "arch") if name in known
    ]
    return known[columns].astype(dict.fromkeys(("params", "macs"), "int64"))


def _with_final(run: Run, known: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with what is known of networks that were trained to the end, and the columns that are new."""
    final = run.final[run.final["status"] == "ok"]
    names = [str(name) for name in final if str(name).startswith(("valid[", "test[", "test_", "seeds_"))]
    if not known["candidate"].isin(final["candidate"]).any():
        return known, []
    return known.merge(final[["candidate", *names]], "left", "candidate"), names


def _certainty(run: Run, known: Sequence[str]) -> pd.DataFrame:
    """What is known of how sure the front is, without columns that the front has itself, and ends that are none."""
    found = run.certainty()
    exact = [end for name, noise in run.drawn.noise.items() if noise == "exact" for end in analysis.ends(name)]
    unknown = (
        [] if run.drawn.known else [name for name in found if str(name).endswith(("p_front", "indistinguishable"))]
    )
    names = {*exact, *unknown, *known} - {"candidate"}
    return found.drop(columns=[name for name in found if name in names]).dropna(axis="columns", how="all")


def for_people(run: Run, chosen: pd.DataFrame) -> pd.DataFrame:
    """What `chosen_by` gives, in 80 characters where two objectives have an interval: each in one column behind
    its objective, and without what else is known of a network.
    """
    for name in run.objectives:
        for value, low, high in ((name, *analysis.ends(name)), _measured(name)):
            if low in chosen:
                text = [_interval(*both) for both in zip(chosen[low], chosen[high], strict=True)]
                chosen.insert(list(chosen.columns).index(low), f"{INTERVAL} of {value}", text)
                chosen = chosen.drop(columns=[low, high])
    chosen = _tested(run, chosen)
    if "p_front" in chosen:
        chosen["p_front"] = chosen["p_front"].round(2)
        chosen["indistinguishable"] = chosen["indistinguishable"].map(_few)
        chosen = chosen.rename(columns={"p_front": PROBABILITY, "indistinguishable": ALIKE})
        if not any(chosen[ALIKE]):
            chosen = chosen.drop(columns=ALIKE)
    learnt = {name for name in chosen if str(name).endswith("_indistinguishable")}
    others = learnt | {"generation", "macs", "arch"} - set(run.objectives)
    return chosen.drop(columns=[name for name in chosen if name in others])


def _tested(run: Run, chosen: pd.DataFrame) -> pd.DataFrame:
    """Of the final figures that on the test examples of the main metric, with its interval in one column behind it."""
    metric, _ = analysis.main_metric(run.description)
    value, low, high = f"test[{metric}]", f"test_low[{metric}]", f"test_high[{metric}]"
    if value in chosen:
        text = [_interval(*both) for both in zip(chosen[low], chosen[high], strict=True)]
        chosen.insert(list(chosen.columns).index(low), f"{INTERVAL} of {value}", text)
        chosen = chosen.rename(columns={value: f"test {metric}"})
    return chosen.drop(columns=[name for name in chosen if str(name).startswith(("valid[", "test_", "seeds_"))])


def _few(candidates: Sequence[int]) -> str:
    more = len(candidates) - FEW
    return ", ".join(map(str, candidates[:FEW])) + (f" +{more}" if more > 0 else "")


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.2g}–{high:.2g}"  # noqa: RUF001  # a range


def _measured(name: str) -> tuple[str, str, str]:
    """The columns of what was measured later, with the ends of its interval."""
    low, high = analysis.ends(name)
    return f"{MEASURED}{name}", f"{MEASURED}{low}", f"{MEASURED}{high}"


def fitting_table(
    frame: pd.DataFrame, title: str, console: Console, objectives: Sequence[str], spare: Sequence[str] | None = None
) -> Table:
    """A front as a table that fits: where the terminal is narrow, some columns are left out, the least important ones
    first. The candidate and the objectives stay. spare: another order of what is left out.
    """
    if spare is None:
        spare = _spare(frame, objectives)
    table = frame_table(frame, title)
    for name in spare:
        if Measurement.get(console, console.options.update(width=UNBOUNDED), table).maximum <= console.width:
            break
        frame = frame.drop(columns=name, errors="ignore")
        table = frame_table(frame, title)
    return table


def _spare(frame: pd.DataFrame, objectives: Sequence[str]) -> list[str]:
    """Columns of a front in the order in which they are left out."""
    names = list(map(str, frame))
    weighed = objectives[1:] if PROBABILITY in names else ()  # by the probability, which takes the place of them
    spare = [
        *(name for name in names if name.startswith(f"{INTERVAL} of {MEASURED}")),
        *(name for name in names if name in [f"{INTERVAL} of {objective}" for objective in weighed]),
        *(name for name in names if name in ("params", "macs") and name not in objectives),
        *(name for name in names if name.startswith(f"{INTERVAL} of ") and MEASURED not in name and "[" not in name),
        *(name for name in names if name.startswith(f"{INTERVAL} of ") and MEASURED not in name),
        *(name for name in names if name.startswith(MEASURED)),
        *(name for name in (ALIKE, PROBABILITY) if name in names),
    ]
    return list(dict.fromkeys(spare))


def written(table: pd.DataFrame | Iterable[Mapping[str, Any]], form: str) -> str:
    """A table for programs: csv, or json with a record a row."""
    frame = table if isinstance(table, pd.DataFrame) else pd.DataFrame(list(table))
    if form == "json":
        return frame.to_json(orient="records", indent=1, double_precision=15) + "\n"
    return frame.map(lambda value: json.dumps(value) if isinstance(value, list) else value).to_csv(index=False)


def frame_table(frame: pd.DataFrame, title: str = "") -> Table:
    """A data frame as a table for people; numbers with four digits. An interval and what was measured later have short
    heads: they stand behind what they are of."""
    table = Table(title=title or None, title_justify="left")
    for name in frame:
        numeric = pd.api.types.is_numeric_dtype(frame[name])
        short = [text for text in (INTERVAL, MEASURED) if str(name).startswith(text)]
        head = short[0].rstrip(".") if short else escape(str(name))
        table.add_column(head, justify="right" if numeric else "left", no_wrap=True, overflow="ellipsis")
    for row in frame.itertuples(index=False):
        table.add_row(*map(_cell, row))
    return table


def _cell(value: Any) -> str:
    if value is pd.NA or value != value:
        return "-"
    return number(value) if isinstance(value, int | float) else escape(str(value))


def number(value: float) -> str:
    """Whole numbers in full, others with four significant digits."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"
