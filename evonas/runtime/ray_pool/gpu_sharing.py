"""How many candidates share a GPU (`gpus_per_worker: auto`): one at first, more while it gets more done and its memory
suffices.

Small networks leave most of a GPU idle. How many of them fill it depends on the space and on the GPU, and is tried: at
each level, so many workers a GPU, the work done in a second is compared with that of the level before. `GpuSharing`
knows nothing of Ray; it is told what is evaluated, and its clock is handed in.
"""

import math
import time
from collections.abc import Callable

from evonas.records import Evaluation, Status

MOST = 8
"""The largest number of workers on a GPU."""
GAIN = 1.1
"""How much more must be done with one worker more for it to stay."""
ROUNDS = 4
"""Trained candidates of each worker that a level is judged by."""
CONTEXT_MB = 600
"""Memory of a CUDA process besides its tensors (300 to 600 MB: torch's kernels and libraries)."""
FILL = 0.9
"""Share of the memory of a GPU that may be planned with."""


class GpuSharing:
    """The search for the best number of workers on a GPU.

    Args:
        most: How many workers there may be in all.
        clock: Returns seconds, and never goes back.

    Attributes:
        level: How many workers are on each GPU.
    """

    def __init__(self, most: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self.level = 1
        self._most = most
        self._clock = clock
        self._before = 0.0  # work of a GPU in a second at the level below
        self._settled = False
        self._peak_mb = self._gpu_mb = 0.0
        self._begin()

    @property
    def share(self) -> float:
        """The part of a GPU that one worker takes; rounded down, as Ray counts in ten-thousandths."""
        return int(10_000 / self.level) / 10_000

    def heard(self, evaluation: Evaluation, gpus: int, workers: int) -> None:
        """Learns from a candidate that a worker of this level has evaluated.

        What is compared is the work of one GPU, as machines come and go. A level without all its workers tells nothing.

        Args:
            evaluation: The candidate's.
            gpus: How many GPUs there are now.
            workers: How many workers there are now.
        """
        self._peak_mb = max(self._peak_mb, evaluation.metrics.get("train_memory_mb", 0.0))
        self._gpu_mb = float(evaluation.conditions.get("gpu_memory_mb", 0.0)) or self._gpu_mb
        out_of_memory = evaluation.status is Status.FAILED_OOM or "out of memory" in evaluation.message
        if out_of_memory and self.level > 1:
            self._settle(self.level - 1)
        elif evaluation.curve and not self._settled:
            if not gpus or workers < self.level * gpus:
                self._begin()
                return
            self._count(len(evaluation.curve) * evaluation.metrics.get("macs", 1.0) / gpus)
            if self._evaluated > ROUNDS * self.level * gpus:
                self._judge(gpus)

    def _count(self, work: float) -> None:
        """What the first one of a level did is not known to have been done in the time of that level."""
        if self._evaluated:
            self._work += work
        else:
            self._since = self._clock()
        self._evaluated += 1

    def _judge(self, gpus: int) -> None:
        speed = self._work / max(1e-9, self._clock() - self._since)
        if speed < GAIN * self._before:
            self._settle(self.level - 1)
        elif self.level == MOST or (self.level + 1) * gpus > self._most or not self._fits(self.level + 1):
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
        self._evaluated, self._work, self._since = 0, 0.0, 0.0
