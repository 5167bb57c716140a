"""The numbers of an audit: each has a part, a name, whose it is, and where there are some an interval and a count."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from evonas.terminal.tables import number
from evonas.text import in_time

SEARCH, RANDOM = "search", "random"
NAN = math.nan
EMPTY = {SEARCH: "", RANDOM: ""}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Args:
        part: of the audit.
        name: what it is.
        run: whose: search or random.
        value: NaN where it is not known.
        low, high: the ends of its 95 % interval; NaN without one.
        n: how many networks, candidates or pairs it is of; 0: it is none of several.
        unit: of the value: h, share (of 1), or empty for counts, metrics and hypervolumes.
    """

    part: str
    name: str
    run: str
    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0
    unit: str = ""

    @property
    def text(self) -> str:
        """For people: 0.08, n 8."""
        if math.isnan(self.value):
            return ""
        forms = {"h": in_time(3600 * self.value), "share": f"{100 * self.value:.3g} %"}
        return f"{forms.get(self.unit, number(self.value))}{f', n {self.n:,}' if self.n else ''}"

    @property
    def span(self) -> str:
        """The interval for people; empty without one."""
        return "" if math.isnan(self.low) else f"{self.low:.2g}, {self.high:.2g}"


class Figures:
    """Numbers by part, name and whose they are, in the order in which they are shown.

    Args:
        figures: the numbers.
    """

    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = {(own.part, own.name, own.run): own for own in figures}

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._figures.values())

    def get(self, part: str, name: str, run: str = SEARCH) -> Figure:
        """A number; where it is not there, one whose value is NaN."""
        return self._figures.get((part, name, run), Figure(part, name, run, NAN))

    def frame(self) -> pd.DataFrame:
        """For programs, a row a number: part, figure, run, value, low, high, n, unit."""
        rows = [(f.part, f.name, f.run, f.value, f.low, f.high, f.n, f.unit) for f in self]
        return pd.DataFrame(rows, columns=["part", "figure", "run", "value", "low", "high", "n", "unit"])

    def table(self) -> pd.DataFrame:
        """For people, a row a name: part, figure, search, random (where there is a baseline); values as text."""
        rows: dict[tuple[str, str], dict[str, str]] = {}
        for figure in self:
            for name, text in ((figure.name, figure.text), (f"{figure.name}, 95 %", figure.span)):
                if text:
                    row = rows.setdefault((figure.part, name), {"part": figure.part, "figure": name, **EMPTY})
                    row[figure.run] = text
        frame = pd.DataFrame(list(rows.values()), columns=["part", "figure", *EMPTY])
        shown = frame.assign(part=frame["part"].where(~frame["part"].duplicated(), ""))
        return shown if (shown[RANDOM] != "").any() else shown.drop(columns=RANDOM)
