"""How long a worker has said nothing of a training that it tells of; knows nothing of processes."""

import math
import time
from collections.abc import Callable

LOOK_S = 1.0


class Silence:
    """Counts in looks, each for two seconds at most: while this process stood still itself, nobody could be heard.

    Args:
        clock: Returns seconds, and never goes back.

    Attributes:
        epoch_s: How long an epoch took, as the worker says.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.expect_none()

    @property
    def look_s(self) -> float:
        """Seconds until the next look is due; infinite where nothing is to be heard."""
        return LOOK_S if math.isfinite(self.allowed_s) else math.inf

    def expect_none(self) -> None:
        """Allows any silence, from now on."""
        self.heard(math.inf, 0.0)

    def heard(self, allowed_s: float, epoch_s: float) -> None:
        """Notes a sign of life.

        Args:
            allowed_s: How long there may be no other.
            epoch_s: How long an epoch took.
        """
        self.allowed_s, self.epoch_s = allowed_s, epoch_s
        self._silent_s, self._looked = 0.0, self._clock()

    def passed(self) -> bool:
        """Looks whether the silence is longer than allowed."""
        now = self._clock()
        self._silent_s += min(now - self._looked, 2 * LOOK_S)
        self._looked = now
        return self._silent_s > self.allowed_s
