"""Steps that are captured once as a CUDA graph and replayed: the host launches one graph, not hundreds of kernels.

No part of this has run on a GPU yet. Tests run it with a recorder of operators on a CPU (tests/evaluation/recorder.py).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from evonas.inputs import mapped
from evonas.text import describe_error

WARM_UP_STEPS = 3
"""Steps that run as they are before the capture: libraries choose their kernels, the optimiser makes its state."""


class Capture(Protocol):
    """Records what work does on a device, to do it again."""

    def aside(self) -> AbstractContextManager[object]:
        """Where the steps before the capture run."""

    def record(self, work: Callable[[], None], generators: Sequence[Generator]) -> Callable[[], None]:
        """Capture work, which does not do it yet.

        Args:
            work: it draws from the generators given and the device's default one.
            generators: of the device.

        Returns:
            What does the work again, each time with the next random numbers.

        Raises:
            RuntimeError: it cannot be captured. Generators are as they were before.
        """


class CudaCapture:
    """CUDA graphs of one GPU.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def aside(self) -> Any:
        """On a stream of their own, as a capture's will be."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream(self._device).wait_stream(self._stream)

    def record(self, work: Callable[[], None], generators: Sequence[Generator]) -> Callable[[], None]:
        """Capture work; see `Capture`."""
        graph = torch.cuda.CUDAGraph()
        default = torch.cuda.default_generators[self._stream.device_index]
        before = [(generator, generator.get_state()) for generator in (*generators, default)]
        for generator in generators:
            graph.register_generator_state(generator)
        try:
            # Other threads (those that read batches ahead) may go on with what a capture forbids.
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                work()
        except BaseException:
            for generator, state in before:  # else it stays a capturing one, and refuses to draw
                fresh = Generator(self._device)
                fresh.set_state(state)
                generator.graphsafe_set_state(fresh)
            raise
        return graph.replay


class Replayed:
    """Work on a batch: as it is for some steps, then captured and replayed with what later batches hold.

    Args:
        work: of a batch's tensors; whatever else it uses stays where it is in memory.
        generators: that it draws from, besides the device's default one.
        capture: how.
    """

    def __init__(self, work: Callable[..., None], generators: Sequence[Generator], capture: Capture) -> None:
        self._work, self._generators, self._capture = work, generators, capture
        self._before = WARM_UP_STEPS
        self._batch: Sequence[Any] = ()
        self._replay: Callable[[], None] | None = None
        self.refused = ""
        """Why it was not captured."""

    @property
    def captured(self) -> bool:
        """Whether steps are replayed."""
        return self._replay is not None

    def __call__(self, *batch: Any) -> None:
        """Do the work on a batch: tensors, or several by name, of the same shapes each time."""
        if not self._replay and not self._before and not self.refused:
            self._try(batch)
        if self._replay:
            for own, new in zip(self._batch, batch, strict=True):
                _copy(own, new)
            self._replay()
        elif self._before:
            self._before -= 1
            with self._capture.aside():
                self._work(*batch)
        else:
            self._work(*batch)

    def _try(self, batch: Sequence[Any]) -> None:
        self._batch = [mapped(torch.clone, part) for part in batch]
        try:
            self._replay = self._capture.record(lambda: self._work(*self._batch), self._generators)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.refused, self._batch = describe_error(error), ()


def _copy(own: Any, new: Any) -> None:
    if isinstance(own, Tensor):
        own.copy_(new, non_blocking=True)
    else:
        for name, part in own.items():
            part.copy_(new[name], non_blocking=True)
