"""Memory of a GPU that several workers share: each keeps to its part, and gives back what it does not need."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch

from evonas.ipc.gpu_share import CONTEXT_MB
from evonas.measuring.device_lock import DeviceLock

PLANNED = 0.95
"""The part of a GPU that its workers may take together; the rest is for what torch does not allocate itself."""


def give_back(device: torch.device) -> None:
    """Free what a failed try held, once nothing refers to its tensors any more."""
    gc.collect()
    if device.type == "cuda":
        with suppress(RuntimeError):  # whether the GPU still works is found out by asking it
            torch.cuda.empty_cache()


class GpuMemory:
    """What this process may take of the memory of its GPU. From when it is made, torch's allocator keeps to that: what
    a neighbour holds or lacks does not decide how a candidate is trained.

    Args:
        device: on which networks train.
        share: of the GPU that is this process's own; 1 for all of it, which is not limited.
    """

    def __init__(self, device: torch.device, share: float) -> None:
        self.shared = device.type == "cuda" and share < 1
        self._device, self._share = device, share
        self._limit()

    def tidy(self) -> None:
        """Between two candidates: give back what the last one needed, which its neighbours may need."""
        if self.shared:
            give_back(self._device)

    def lend(self) -> None:
        """While another has the GPU to itself: give back what is not in use."""
        if self.shared:
            torch.cuda.empty_cache()

    @contextmanager
    def alone(self, lock: DeviceLock, name: str) -> Iterator[None]:
        """All of the GPU's memory is free for the block but what its neighbours have in use, while they wait.

        Args:
            lock: which this process does not hold.
            name: of the device for the lock.
        """
        with lock.alone(name):
            torch.cuda.set_per_process_memory_fraction(1.0, self._device)
            try:
                yield
            finally:
                self.tidy()
                self._limit()

    def _limit(self) -> None:
        if self.shared:
            total_mb = torch.cuda.get_device_properties(self._device).total_memory / 1e6
            fraction = max(0.01, PLANNED * self._share - CONTEXT_MB / total_mb)
            torch.cuda.set_per_process_memory_fraction(fraction, self._device)
