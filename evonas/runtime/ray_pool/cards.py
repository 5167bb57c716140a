"""Which GPUs get jobs: all, but for those that keep crashing them. Knows nothing of Ray or of what a job means."""

import time
from collections import Counter
from collections.abc import Callable

from evonas.runtime.retries import Place

STRIKES = 3
"""Jobs in a row that crashed on a card and not elsewhere, or that it was lost under: then it is set aside."""
TOGETHER_S = 2.0
"""Crashes of several workers on one card within this time have one cause: under MPS a fault of one ends all."""


class Cards:
    """What is known of the GPUs on which workers are.

    Args:
        clock: Returns seconds, and never goes back.

    Attributes:
        aside: Those that were set aside. A worker stays on each, for Ray would give the card to the next one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.aside: set[Place] = set()
        self._clock = clock
        self._strikes: Counter[Place] = Counter()
        self._last_crash: dict[Place, tuple[object, float]] = {}

    def crashed(self, place: Place, others: bool) -> None:
        """Notes that a job crashed there and not elsewhere, or that the card was lost under it.

        Args:
            place: The card.
            others: Whether other cards get jobs; the last one is never set aside.
        """
        self._strikes[place] += 1
        if self._strikes[place] >= STRIKES and others:
            self.aside.add(place)

    def worked(self, place: Place) -> None:
        """Notes that a job was completed there."""
        self._strikes[place] = 0

    def works(self, place: Place) -> bool:
        """Whether the last that is known of a card is that a job was completed there, or nothing is known."""
        return not self._strikes[place]

    def fell_with(self, place: Place, worker: object) -> bool:
        """Notes a crash, and returns whether it belongs to one that another worker on the card has just had.

        Args:
            place: The card.
            worker: Whose process crashed. One that crashes twice is not felled by a neighbour.
        """
        now = self._clock()
        before, at = self._last_crash.get(place, (worker, now))
        if before is not worker and now - at <= TOGETHER_S:
            return True
        self._last_crash[place] = worker, now
        return False
