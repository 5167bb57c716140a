"""How many candidates share a GPU (`gpus_per_worker: auto`): one at first, more while it gets more done and its memory
suffices.

Small networks leave most of a GPU idle. How many of them fill it depends on the space and on the GPU, and is tried.
Each candidate tells how much slower it trained than it would have alone (`evaluation/gpu/step_clock.py`); so many
workers a GPU, divided by that, is how many times as much it gets done as with one. Candidates differ in their work by
orders of magnitude and in their slowdown little, so a few of them tell. `GpuSharing` knows nothing of Ray; it is told
what is evaluated.
"""

import math
from collections.abc import Callable, Sequence

from evonas.ipc.gpu_share import CONTEXT_MB
from evonas.records import Evaluation, Status
from evonas.text import counted

LEVELS = (1, 2, 4, 8, 14)
"""Workers on a GPU that are tried, one after the other: each change restarts every worker. CPUs or memory may end it
between two."""
GAIN = 1.1
"""How much more must be done with twice the workers for them to stay."""
LEAST = 8
"""Candidates that a level is judged by, at least; as many as there are workers on a GPU, where those are more."""
SILENT = 30
"""Trained candidates in a row that told no slowdown: then a person hears of it."""
FILL = 0.9
"""Share of the memory of a GPU that may be planned with."""


class GpuSharing:
    """The search for the best number of workers on a GPU.

    Args:
        most: How many workers there may be in all.
        room: Returns how many workers the nodes hold together, if so many share each GPU: their CPUs may not suffice.
    """

    def __init__(self, most: float = math.inf, room: Callable[[int], float] = lambda level: math.inf) -> None:
        self._most, self._room = most, room
        self._levels = [1]  # those that were worth it, and the one that is tried
        self._before = 0.0  # how much a GPU gets done at the level below, in multiples of one candidate alone
        self._settled = False
        self._peak_mb, self._data_mb, self._gpu_mb = 0.0, 0.0, math.inf
        self._slowdowns: list[float] = []
        self._silent = 0  # trained candidates since one told its slowdown

    @property
    def level(self) -> int:
        """How many workers are on each GPU."""
        return self._levels[-1]

    @property
    def share(self) -> float:
        """The part of a GPU that one worker takes."""
        return share(self.level)

    @property
    def judging(self) -> bool:
        """Whether it still wants to hear how much slower candidates train beside others."""
        return not self._settled

    @property
    def note(self) -> str:
        """What a person should know; empty where all is as it should be."""
        if self._settled or self._silent < SILENT:
            return ""
        return (
            f"gpus_per_worker: auto stays at {counted(self.level, 'worker')} a GPU: candidates do not say how much "
            "slower they train beside others; they train for fewer than 38 steps, or their learner calls no checkpoint"
        )

    def heard(self, evaluation: Evaluation, gpus: int, workers: int, first: bool = False) -> None:
        """Learns from a candidate that a worker of this level has evaluated.

        A level without all its workers tells nothing, nor does the first candidate of a worker, which may have begun
        before the others were there.

        Args:
            evaluation: The candidate's.
            gpus: How many GPUs there are now.
            workers: How many workers there are now.
            first: Whether it is the first one of its worker.
        """
        self._remember_memory(evaluation)
        self._silent = 0 if "slowdown" in evaluation.conditions else self._silent + bool(evaluation.curve)
        out_of_memory = evaluation.status is Status.FAILED_OOM or "out of memory" in evaluation.message
        if out_of_memory and self.level > 1:
            self._settle_below()
        elif not self._settled and (slowdown := evaluation.conditions.get("slowdown")):
            if not gpus or workers < self.level * gpus:
                self._slowdowns = []
            elif not first:
                self._slowdowns.append(float(slowdown))
            if len(self._slowdowns) >= max(LEAST, self.level):
                self._judge(self._slowdowns, gpus)

    def _remember_memory(self, evaluation: Evaluation) -> None:
        """The most that a process takes, and the memory of the smallest GPU."""
        self._peak_mb = max(self._peak_mb, evaluation.metrics.get("train_memory_mb", 0.0))
        self._data_mb = max(self._data_mb, float(evaluation.conditions.get("gpu_data_mb", 0.0)))
        self._gpu_mb = min(self._gpu_mb, float(evaluation.conditions.get("gpu_memory_mb", math.inf)))

    def _judge(self, slowdowns: Sequence[float], gpus: int) -> None:
        speed = self.level * len(slowdowns) / sum(slowdowns)
        if self.level > 1 and speed < self._before * GAIN ** math.log2(self.level / self._levels[-2]):
            self._settle_below()
            return
        more = self._next(gpus)
        if more == self.level:
            self._settled = True
            return
        self._before = speed
        self._levels.append(more)
        self._slowdowns = []

    def _next(self, gpus: int) -> int:
        """The next level, or as many of it as there is room for; the same one where there is none for more."""
        wanted = next((level for level in LEVELS if level > self.level), self.level)
        return next((level for level in range(wanted, self.level, -1) if self._fits(level, gpus)), self.level)

    def _fits(self, level: int, gpus: int) -> bool:
        each_mb = self._peak_mb + self._data_mb + CONTEXT_MB
        return level * each_mb <= FILL * self._gpu_mb and level * gpus <= min(self._most, self._room(level))

    def _settle_below(self) -> None:
        self._levels.pop()
        self._settled = True


def share(level: int) -> float:
    """The part of a GPU of each of so many workers; rounded down, as Ray counts in ten-thousandths."""
    return int(10_000 / level) / 10_000
