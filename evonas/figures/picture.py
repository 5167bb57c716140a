"""A figure as data: what is to be drawn, by whichever library. Nothing of plotly or matplotlib is here.

Positions are in the units of the axes. A NaN between two points breaks a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Told apart by the colour-blind too (Okabe & Ito 2008); each outcome also has a symbol of its own.
BLUE, SKY, GREEN, ORANGE, RED, PURPLE, GREY, BLACK = (
    *("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#b0b0b0", "#000000"),
)
OUTCOMES = {"trained": BLUE, "stopped": GREY, "infeasible": ORANGE, "failed": PURPLE}
SYMBOLS = {"trained": "circle", "stopped": "x", "infeasible": "square", "failed": "diamond"}
LABELS = {"trained": "fully trained", "stopped": "stopped early", "infeasible": "over a limit", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Points:
    """hover: a text for each point, its lines separated by line breaks. symbol: one of `SYMBOLS`."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    hover: Sequence[str] = ()
    size: float = 6
    symbol: str = "circle"


@dataclass(frozen=True, slots=True)
class Line:
    """step: the value holds until the next point. markers: points are marked. in_legend: its name is there."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    hover: Sequence[str] = ()
    width: float = 1.5
    step: bool = False
    markers: bool = False
    in_legend: bool = True


@dataclass(frozen=True, slots=True)
class Band:
    name: str
    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str


@dataclass(frozen=True, slots=True)
class Boxes:
    """Rectangles from x0 to x1, around y. text: what is written in each."""

    name: str
    x0: Sequence[float]
    x1: Sequence[float]
    y: Sequence[float]
    height: Sequence[float]
    colour: str
    hover: Sequence[str] = ()
    text: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    y: float
    text: str


Mark = Points | Line | Band | Boxes | Label


@dataclass(frozen=True, slots=True)
class Axis:
    """label: what it shows, in which unit and where better is. ticks: position and text, instead of numbers."""

    label: str = ""
    log: bool = False
    ticks: Sequence[tuple[float, str]] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Picture:
    """What `as_plotly` draws to look into, `as_matplotlib` for paper, `as_text` for a terminal, and `save` into a file.
    A notebook shows it by itself."""

    title: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]

    def __repr__(self) -> str:
        return f"Picture({self.title!r}: {', '.join(mark.name for mark in self.marks if not isinstance(mark, Label))})"


def clock(hours: float) -> tuple[float, str]:
    """How many of which unit an hour is, so that so many hours are a number that people read."""
    if hours >= 2:
        return 1.0, "hours"
    return (60.0, "minutes") if hours >= 2 / 60 else (3600.0, "seconds")


def counted(first: int, last: int, most: int = 12) -> list[tuple[float, str]]:
    """Ticks at whole numbers, evenly spaced, no more than so many."""
    return [(float(n), str(n)) for n in range(first, last + 1, -(-(last - first + 1) // most))]


def objective_axis(objective: dict[str, Any], arrow: str, values: Sequence[float] = ()) -> Axis:
    """The axis of an objective of a run's description: column, unit, where better is.

    arrow: "x" or "y". values: what is shown on it; they decide about a logarithmic scale.
    """
    less = {"x": "←", "y": "↓"}[arrow]
    more = {"x": "→", "y": "↑"}[arrow]
    column, unit = objective["column"], objective["unit"]
    shown = f" ({unit})" if unit and unit != column else ""
    known = [value for value in values if value == value]
    log = bool(known) and min(known) > 0 and max(known) > 10 * min(known)
    return Axis(f"{column}{shown}, better {less if objective['sign'] > 0 else more}", log)
