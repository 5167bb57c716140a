"""How many candidates share a GPU (`gpus_per_worker: auto`): one at first, more while it gets more done and has room.

Small networks leave most of a GPU idle. How many of them fill it depends on the space and on the GPU, and is tried: at
each level, so many workers a GPU, the work done in a second is compared with that of the level before. Knows nothing
of Ray; told what is decided, with a clock that is handed in.
"""

import time
from collections.abc import Callable

from evonas.records import Evaluation, Status

MOST = 8
"""Workers on a GPU."""
GAIN = 1.1
"""How much more must be done with one worker more for it to stay."""
ROUNDS = 4
"""Trained candidates of each worker that a level is judged by."""
CONTEXT_MB = 600
"""Memory of a CUDA process besides its tensors (300 to 600 MB: torch's kernels and libraries)."""
FILL = 0.9
"""Share of the memory of a GPU that may be planned with."""


class Packing:
    """level: workers on each GPU. clock: seconds; never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.level = 1
        self._clock = clock
        self._before = 0.0  # work in a second at the level below
        self._settled = False
        self._peak_mb = self._gpu_mb = 0.0
        self._begin()

    @property
    def share(self) -> float:
        """The part of a GPU that one worker takes; rounded down, as Ray counts in ten-thousandths."""
        return int(10_000 / self.level) / 10_000

    def heard(self, evaluation: Evaluation, gpus: int) -> None:
        """A candidate was decided by a worker of this level. gpus: how many there are in all."""
        self._peak_mb = max(self._peak_mb, evaluation.metrics.get("train_memory_mb", 0.0))
        self._gpu_mb = float(evaluation.conditions.get("gpu_memory_mb", 0.0)) or self._gpu_mb
        if self._settled:
            return
        if evaluation.status is Status.FAILED_OOM and self.level > 1:
            self._settle(self.level - 1)
        elif evaluation.curve:
            self._count(len(evaluation.curve) * evaluation.metrics.get("macs", 1.0))
            if self._decided > ROUNDS * self.level * max(1, gpus):
                self._judge()

    def _count(self, work: float) -> None:
        """What the first one of a level did is not known to have been done in the time of that level."""
        if self._decided:
            self._work += work
        else:
            self._since = self._clock()
        self._decided += 1

    def _judge(self) -> None:
        speed = self._work / max(1e-9, self._clock() - self._since)
        if speed < GAIN * self._before:
            self._settle(self.level - 1)
        elif self.level == MOST or not self._fits(self.level + 1):
            self._settle(self.level)
        else:
            self._before = speed
            self.level += 1
            self._begin()

    def _fits(self, level: int) -> bool:
        return not self._gpu_mb or level * (self._peak_mb + CONTEXT_MB) <= FILL * self._gpu_mb

    def _settle(self, level: int) -> None:
        self.level, self._settled = level, True

    def _begin(self) -> None:
        self._decided, self._work, self._since = 0, 0.0, 0.0
