"""Examples that are too many for the device or for memory: read a few batches ahead of the training, in a thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from queue import SimpleQueue
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor

from evonas.evaluation.batches.examples import Batch
from evonas.evaluation.batches.upload import NoUpload, PinnedUpload, Upload
from evonas.inputs import mapped
from evonas.tasks.task import Array, Split

DEPTH = 2
"""Batches that lie ready, or are being read, beside the one that is trained on."""
T = TypeVar("T")


class Streaming:
    """Examples are read when they are wanted; beside a few batches nothing is in memory.

    Each iterator reads in one thread of its own, which ends with it: when all is read, when it is closed or dropped,
    and when an error goes through. A thread that stayed would cost the worker its process (runtime/sandbox/worker.py).

    Args:
        split: whose examples are stored; such as are in memory do as well.
        device: where batches go. To a GPU they go by way of pinned memory, while the GPU computes.
        upload: how they go there; default: as the device wants it.
    """

    def __init__(self, split: Split, device: torch.device, upload: Upload | None = None) -> None:
        self._split, self._device = split, device
        self._upload: Upload = upload or (PinnedUpload(device) if device.type == "cuda" else NoUpload())

    def __len__(self) -> int:
        return len(self._split)

    def shuffled(self, batch: int, generator: Generator) -> Iterator[Batch]:
        order = torch.randperm(len(self), generator=generator, device=self._device).cpu().numpy()
        yield from self._batches(order[: len(self) // batch * batch], batch)

    def in_order(self, batch: int) -> Iterator[Batch]:
        yield from self._batches(np.arange(len(self)), batch)

    def _batches(self, order: Array, batch: int) -> Iterator[Batch]:
        read = (self._sent(order[i : i + batch]) for i in range(0, len(order), batch))
        with closing(Prefetched(read, DEPTH)) as ready:
            for received in ready:
                yield received()

    def _sent(self, rows: Array) -> Callable[[], Batch]:
        x, y = self._split.read(rows)
        return self._upload.begin(mapped(_tensor, x), _tensor(y))


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.require(array, requirements=["C_CONTIGUOUS", "WRITEABLE"]))


class Prefetched(Generic[T]):
    """The items of an iterator, made in a thread, a few ahead of whoever takes them.

    An error of the iterator comes out of `next`, as it was. The thread is gone when `next` has raised, and when `close`
    has returned: so where the iterator blocks, both wait for it.

    Args:
        items: it is advanced in the thread alone.
        depth: most items that are made, or being made, and not taken.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items, self._free, self._stopped = items, threading.Semaphore(depth), threading.Event()
        self._ready: SimpleQueue[tuple[T] | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._fill, name="evonas-prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._stopped.is_set():
            raise StopIteration
        found = self._ready.get()
        if isinstance(found, BaseException):
            self.close()
            try:
                raise found
            finally:
                del found  # else it and this frame would hold each other, and the batch that was being read
        self._free.release()
        return found[0]

    def close(self) -> None:
        """End the thread; what lies ready is lost."""
        self._stopped.set()
        self._free.release()
        if self._thread is not threading.current_thread():  # the garbage collector closes iterators in any thread
            self._thread.join()

    def _fill(self) -> None:
        try:
            while self._free.acquire() and not self._stopped.is_set():
                self._ready.put((next(self._items),))
        except BaseException as reason:  # StopIteration at the end of the items
            self._ready.put(reason)
