"""A GPU that is only calculated: a host that launches, and a device that works behind it. No driver is needed.

Times are microseconds, as they are said of an H100: they are made by hand.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch

RECORD_US, LAUNCH_US, MAKE_US = 2.0, 6.0, 2.0


class FakeGpu:
    """host, device: until when each is busy. broken: whatever is asked of it raises."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = self.device = 0.0
        self.capturing = self.broken = False
        self.events = self.graphs = 0
        gpu = self

        class Event:
            def __init__(self, enable_timing: bool) -> None:
                gpu.host += MAKE_US
                gpu.events += 1

            def record(self) -> None:
                gpu.host += RECORD_US
                self.at = max(gpu.host, gpu.device)

            def synchronize(self) -> None:
                gpu.synchronize()

            def elapsed_time(self, end: "Event") -> float:
                return (end.at - self.at) / 1000

        class Graph:
            def replay(self) -> None:
                gpu.launch(50.0)

        class Stream:
            def wait_stream(self, other: object) -> None: ...

        @contextmanager
        def capture(graph: object) -> Iterator[None]:
            gpu.capturing, gpu.graphs = True, gpu.graphs + 1
            try:
                yield
            finally:
                gpu.capturing = False

        for name, fake in {
            "Event": Event,
            "CUDAGraph": Graph,
            "Stream": Stream,
            "current_stream": Stream,
            "stream": lambda stream: nullcontext(),
            "graph": capture,
            "synchronize": self.synchronize,
        }.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        zeros = torch.zeros
        monkeypatch.setattr(torch, "zeros", lambda *shape, device=None: zeros(*shape))

    def launch(self, us: float) -> None:
        """Something that takes so long on the device."""
        self.host += LAUNCH_US
        self.device = max(self.host, self.device) + us

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.broken:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        self.host = max(self.host, self.device)


def raising_in_capture(gpu: FakeGpu, error: BaseException) -> Callable[[torch.Tensor], torch.Tensor]:
    """A network that runs, but not while it is captured."""

    def network(x: torch.Tensor) -> torch.Tensor:
        if gpu.capturing:
            raise error
        return x

    return network
