"""How much slower a network trains beside others than it would alone: what sharing a GPU is judged by.

Some steps of the training itself are clocked while it has the device to itself, and the rest of it is compared with
them. Both are of the same network on the same data, so that their ratio varies little from candidate to candidate; what
candidates cost, and how well multiply-accumulates tell that, varies by an order of magnitude.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from evonas.evaluation.draft import Draft
from evonas.measuring.backends.pytorch import lock_name
from evonas.measuring.device_lock import DeviceLock

WARM_UP = 10
"""Steps before those that are clocked: the first ones choose kernels and fill caches."""
SETTLE = 3
"""Steps alone that are not clocked yet: memory that was lent to others meanwhile is taken again."""
ALONE = 5
"""Steps that are clocked alone; all others on the device wait for them."""
LEAST = 20
"""Steps beside others that a slowdown is told from, at least."""


class StepClock:
    """The checkpoint of one training, which clocks it as it passes.

    Args:
        lock: Of the device, which the training holds shared.
        device: Its name for the lock.
        clock: Returns the seconds of the training so far, which do not count what is measured between two epochs.
        synchronize: Waits until the device has done what it was given.
    """

    def __init__(
        self, lock: DeviceLock, device: str, clock: Callable[[], float], synchronize: Callable[[], None] = lambda: None
    ) -> None:
        self._lock, self._device, self._clock, self._synchronize = lock, device, clock, synchronize
        self._window = ExitStack()
        self._passed = 0
        self._is_alone = False  # whether the others do wait
        self._began = self._ended = self._paused_s = 0.0
        self._alone_s = 0.0  # of a step; 0: not known
        self._beside = 0  # steps since then

    @property
    def slowdown(self) -> float | None:
        """How many times as long a step took beside others as alone, pauses left out; None where that is not known. To
        be asked when the training has ended."""
        if not self._alone_s or self._beside < LEAST:
            return None
        return (self._clock() - self._ended - self._paused_s) / self._beside / self._alone_s

    def checkpoint(self) -> None:
        """To be called between two steps."""
        self._passed += 1
        if self._passed == WARM_UP:
            self._is_alone = self._window.enter_context(self._lock.exclusive(self._device))
        elif self._passed == WARM_UP + SETTLE:
            self._begin()
        elif self._passed == WARM_UP + SETTLE + ALONE:
            self._end()
        elif not WARM_UP < self._passed < WARM_UP + SETTLE + ALONE:  # else it would wait for itself
            self._pause()
        self._beside += self._passed > WARM_UP + SETTLE + ALONE

    def close(self) -> None:
        """Gives the device back, wherever the training ended."""
        self._window.close()

    def _pause(self) -> None:
        """Makes way for who measures on the device."""
        begun = self._clock()
        self._lock.checkpoint()
        self._paused_s += self._clock() - begun

    def _begin(self) -> None:
        self._synchronize()
        self._began = self._clock()

    def _end(self) -> None:
        self._synchronize()
        if self._is_alone:
            self._alone_s = (self._clock() - self._began) / ALONE
        self._window.close()
        self._ended, self._paused_s = self._clock(), 0.0


@contextmanager
def clocked(wanted: bool, lock: DeviceLock, device: torch.device, draft: Draft) -> Iterator[Callable[[], None]]:
    """A training in the block is clocked where that is wanted, and its slowdown becomes a condition of the draft.

    Args:
        wanted: Whether it is to be clocked.
        lock: Of the device, which the block holds shared.
        device: On which it trains.
        draft: Of the candidate.

    Yields:
        What the training calls between two steps.
    """
    if not wanted:
        yield lock.checkpoint
        return
    clock = StepClock(lock, lock_name(device), lambda: draft.trained_s, partial(_synchronize, device))
    try:
        yield clock.checkpoint
    finally:
        clock.close()
    if clock.slowdown:
        draft.conditions["slowdown"] = f"{clock.slowdown:.4g}"


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
