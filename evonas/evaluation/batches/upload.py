"""Batches on their way from memory to the device that trains, while that computes."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from evonas.inputs import mapped
from evonas.ipc import pinned


class Upload(Protocol):
    """How batches come to a device."""

    def begin(self, x: Any, y: Tensor) -> Callable[[], tuple[Any, Tensor]]:
        """Send a batch, from the thread that read it.

        Returns:
            To be called in the thread that trains: the batch on the device, for what runs there from then on.
        """


class NoUpload:
    """To a device whose memory is the host's."""

    def begin(self, x: Any, y: Tensor) -> Callable[[], tuple[Any, Tensor]]:
        """See `Upload`."""
        return lambda: (x, y)


class PinnedUpload:
    """To a GPU: by way of pinned memory, on a stream of its own, so that copies and training go on side by side.

    Pinned memory is kept by torch and used again once its copy is done, so that there are as many buffers as batches
    under way. Who watches the memory of the process is told of them, for they are in none of its figures. No part of
    this has run on a GPU yet.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def begin(self, x: Any, y: Tensor) -> Callable[[], tuple[Any, Tensor]]:
        """See `Upload`."""
        # A thread begins with the first GPU, where a context would cost memory.
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            sent = mapped(self._sent, x), self._sent(y)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(self._stream)
        pinned.tell(_pinned())
        return lambda: self._received(sent, done)

    def _sent(self, tensor: Tensor) -> Tensor:
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def _received(self, sent: tuple[Any, Tensor], done: torch.cuda.Event) -> tuple[Any, Tensor]:
        trains = torch.cuda.current_stream(self._device)
        trains.wait_event(done)
        x, y = sent
        for tensor in [*(x.values() if isinstance(x, dict) else [x]), y]:
            tensor.record_stream(trains)  # its memory is not given to the next copy before training has read it
        return x, y


def _pinned() -> int:
    """Bytes that torch holds pinned, for whatever: those that it keeps for the next batch as well."""
    stats: Callable[[], Mapping[str, Any]] = getattr(torch.cuda, "host_memory_stats", dict)  # torch 2.6 has none
    return int(stats().get("allocated_bytes.current", 0))
