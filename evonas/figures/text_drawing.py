"""Pictures drawn by plotille for a terminal: the one home of that library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from plotille import Canvas

from evonas.errors import UserError
from evonas.figures.picture import BLUE, ORANGE, PURPLE, RED, Axis, Line, Picture, Points

MARKERS = {"x": "x", "circle": "·", "square": "▪", "diamond": "◆"}
MEMBER = "●"
COLOURS = {RED: "bright_red", BLUE: "bright_blue", ORANGE: "bright_yellow", PURPLE: "bright_magenta"}
BLANK = "\u2800"  # eight dots of which none is set: some fonts draw them
PALE = "bright_black"
LARGE = 8
SMALLEST = (32, 8)
PAD = 0.04
"""Room between the outermost points and the frame, as a share of the range."""


def as_text(picture: Picture, width: int = 60, height: int = 16) -> str:
    """Points, and lines with their members marked, in `height` lines of `width` characters, with codes for colours.

    What comes later in the picture is drawn over what came earlier; without colours the markers tell them apart.

    Raises:
        UserError: the picture has other marks, for which characters are too coarse.
    """
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    marks = [mark for mark in picture.marks if isinstance(mark, Points | Line)]
    if len(marks) < len(picture.marks):
        raise UserError("as_text draws points and lines alone; for this figure take as_plotly or as_matplotlib")
    x = _Scale.over(picture.x, [value for mark in marks for value in mark.x])
    y = _Scale.over(picture.y, [value for mark in marks for value in mark.y])
    legend = _folded([f"{_marker(mark)} {mark.name}" for mark in marks if len(mark.x) and _marker(mark)], width)
    margin = max(map(len, y.ends))
    inner, rows = width - margin - 2, max(3, height - 4 - len(legend))
    canvas = Canvas(inner, rows, 0, 0, 1, 1, mode="names")
    for mark in marks:
        _draw(canvas, mark, [*map(x.place, mark.x)], [*map(y.place, mark.y)])
    lines = canvas.plot("\n").replace(BLANK, " ").split("\n")
    low, middle, high = y.ends
    ticks = {rows - 1: low, (rows - 1) // 2: middle, 0: high}
    left, middle, right = x.ends
    room = inner - len(left) - len(right)
    return "\n".join(
        (
            picture.y.label[:width],
            *(f"{ticks.get(i, ''):>{margin}} ┤{line}" for i, line in enumerate(lines)),
            f"{'':{margin}} └{'─' * inner}",
            f"{'':{margin}}  {left}{middle if len(middle) + 1 < room else '':^{room}}{right}",
            f"{picture.x.label[:width]:>{width}}",
            *legend,
        )
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to shares of an axis and back. low, high: its ends, their logarithms on a logarithmic one."""

    low: float
    high: float
    log: bool

    @classmethod
    def over(cls, axis: Axis, values: Sequence[float]) -> "_Scale":
        known = [math.log10(v) if axis.log else v for v in values if math.isfinite(v) and not (axis.log and v <= 0)]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        pad = PAD * (high - low) or PAD * abs(high) or 0.5
        return cls(low - pad, high + pad, axis.log)

    def place(self, value: float) -> float:
        """Outside of 0 to 1 where the axis has no place for it."""
        if not math.isfinite(value) or (self.log and value <= 0):
            return -1.0
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)

    @property
    def ends(self) -> tuple[str, str, str]:
        """The values at the beginning, in the middle and at the end."""
        values = (self.low + share * (self.high - self.low) for share in (0, 0.5, 1))
        low, middle, high = (_short(10**value if self.log else value) for value in values)
        return low, middle, high


def _draw(canvas: Canvas, mark: Points | Line, x: Sequence[float], y: Sequence[float]) -> None:
    points = [(a, b) for a, b in zip(x, y, strict=True) if 0 <= a < 1 and 0 <= b < 1]
    colour = COLOURS.get(mark.colour, PALE)
    if isinstance(mark, Line):
        for (a, b), (c, d) in pairwise(points):
            canvas.line(a, b, c if mark.step else a, b, color=colour)
            canvas.line(c if mark.step else a, b, c, d, color=colour)
    if marker := _marker(mark):
        for a, b in points:
            canvas.point(a, b, color=colour, marker=marker)


def _marker(mark: Points | Line) -> str:
    """Empty for a line whose members are not marked."""
    if isinstance(mark, Line):
        return MEMBER if mark.markers else ""
    return MEMBER if mark.size >= LARGE else MARKERS[mark.symbol]


def _folded(parts: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(part[:width])
    return lines


def _short(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
