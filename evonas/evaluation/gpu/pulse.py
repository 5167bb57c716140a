"""Signs of life of a training on a GPU. Kernels that hang look like kernels that work, and a deadline that suits all
candidates is an hour; how long an epoch of this one takes is known after the first.

On a CPU there are none: a step there is Python's own work, which a loaded machine makes as slow as it likes.
"""

import math
import time
from collections.abc import Callable

from evonas.ipc import heartbeat

EVERY_S = 1.0
TIMES = 10.0
"""A step that takes so many times as long as a whole epoch will not end."""
LEAST_S = 120.0
"""The shortest silence that ends a training: a minute, besides the minute that it may wait for a measurement."""


class Pulse:
    """Tells of the steps and epochs of one training, from the end of the first epoch on.

    Args:
        watched: False says nothing.
        beat: Gets the longest silence that is allowed, and the longest epoch (s).
        clock: Returns seconds.
    """

    def __init__(
        self,
        watched: bool,
        beat: Callable[[float, float], None] = heartbeat.beat,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._beat, self._clock, self._watched = beat, clock, watched
        self._began = self._said = clock()
        self._longest_s, self._steps = 0.0, 0

    def begin(self) -> None:
        """Before an epoch."""
        self._began, self._steps = self._clock(), 0
        self._say()

    def step(self) -> None:
        """Between two steps."""
        self._steps += 1
        if self._clock() - self._said >= EVERY_S:
            self._say()

    def end(self) -> None:
        """After an epoch, or in place of its end: what follows may be a measurement, which says nothing. A learner that
        does not tell of its steps is not watched."""
        if self._longest_s:
            self._beat(math.inf, self._longest_s)
        if self._watched and self._steps:
            self._longest_s = max(self._longest_s, self._clock() - self._began)

    def _say(self) -> None:
        self._said = self._clock()
        if self._longest_s:
            self._beat(max(LEAST_S, TIMES * self._longest_s), self._longest_s)
