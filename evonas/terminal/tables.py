"""Tables: for people, as wide as the terminal, with a plot beside them; for programs, csv and json."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from evonas import figures
from evonas.figures.picture import Picture

PLOT_WIDTH, PLOT_HEIGHT = (40, 72), 17
"""Characters. Where less than the least is left beside a table, the plot is above it."""
INTERVAL, MEASURED = "95 %", "measured."
"""How columns begin that have the interval of another one, and what was measured later."""
PROBABILITY, ALIKE = "p(front)", "alike"
"""How sure it is that a network is on the front, and which others it cannot be told from."""
UNBOUNDED = 10_000
"""Characters: no table is as wide."""


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
