"""What a search says beside its line: once at its start, once when its pace is known, and of searches beside it."""

import os
import time
from collections.abc import Iterator

from evonas.driver.budget_forecast import forecast
from evonas.driver.cost_forecast import cost_forecast
from evonas.driver.loop import Search
from evonas.driver.progress import RepeatedFailures
from evonas.measuring.device_lock import DeviceLock
from evonas.records import Evaluation

LOOK_S, WORTH_SAYING_S = 1.0, 5.0
"""Longest time that one look at the measurements of others stands for; how much of them is worth a word."""


class Notes:
    """The lines of a search that are said once, when it is time for each."""

    def __init__(self) -> None:
        self._failures, self._forecast = RepeatedFailures(), Forecast()
        self._begun = False

    def lines(self, search: Search, evaluation: Evaluation | None) -> Iterator[str]:
        """Those whose time has come with this evaluation."""
        if not self._begun:
            self._begun = True
            yield from filter(None, (advice(search), cost_note(search)))
        yield from filter(None, (self._failures.text(search, evaluation), self._forecast.line(search)))


def advice(search: Search) -> str:
    """A line for who has more workers than the window can feed; empty for the others."""
    workers, lookahead = search.runtime.workers, search.config.lookahead
    if search.config.schedule.mode != "window" or workers == 1 or lookahead >= 2 * workers:
        return ""
    return f"note: lookahead {lookahead} cannot keep {workers} workers busy; they want schedule.lookahead={4 * workers}"


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
