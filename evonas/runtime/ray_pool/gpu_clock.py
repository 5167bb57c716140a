"""For how long GPUs are held, which is what they cost: by workers that start, wait or crash as well."""

import time
from collections.abc import Callable


class GpuClock:
    """Adds up GPUs x seconds.

    Args:
        clock: Returns seconds, and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._at = clock, clock()
        self._held = self._sum = 0.0

    def hold(self, gpus: float) -> float:
        """Notes how many GPUs are held from now on.

        Args:
            gpus: Over all workers.

        Returns:
            GPU seconds until now.
        """
        now = self._clock()
        self._sum += self._held * (now - self._at)
        self._held, self._at = gpus, now
        return self._sum
