"""Passes on a GPU: captured as a CUDA graph, and timed by events.

A small network's kernels take a few microseconds each, and Python takes longer to launch one: timed eager, it would be
as slow as it has modules, and faster where it came as a file than as a module. A graph is launched at once.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from evonas.inputs import called
from evonas.text import describe_error

Call = Callable[..., Tensor]
GROUP_MS = 1.0
"""Replays between two events take about so long: an event is some microseconds away from what it stands beside."""
MOST = 1000
"""Replays between two events."""


def captured(call: Call, x: Any) -> tuple[Call, Mapping[str, str]]:
    """Capture a pass, after a warm-up on another stream, as torch's notes on CUDA ask for.

    Args:
        call: the network.
        x: its input, which stays where it is.

    Returns:
        What replays the pass, and no conditions; or the network itself, and as a condition why it cannot be captured.

    Raises:
        Exception: whatever the network raises by itself; memory that ran out; a GPU that is broken.
    """
    _warm_up(call, x)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            y = called(call, x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        _check_gpu(error)
        return call, {"graph_refused": describe_error(error)}

    def replay(*_: Tensor, **__: Tensor) -> Tensor:
        graph.replay()
        return y  # type: ignore[no-any-return]

    return replay, {}


class EventClock:
    """The clock of a GPU: two events, which are used again and again.

    Args:
        grouped: several passes are timed together, and each counts as their mean: of a graph, whose launches the GPU
            does not wait for. An eager pass is timed alone, its launches included.
    """

    def __init__(self, grouped: bool) -> None:
        self._start, self._end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        self._grouped, self._group = grouped, 1

    def passes(self, run: Call, x: Any, count: int) -> list[float]:
        """Run passes.

        Args:
            run: one pass.
            x: its input.
            count: how many.

        Returns:
            Milliseconds of each, in order.
        """
        found: list[float] = []
        while len(found) < count:
            left = count - len(found)
            group = -(-left // max(1, left // self._group))  # about alike, and none shorter
            ms = self._timed(run, x, group) / group
            found += [ms] * group
            if self._grouped:
                self._group = max(1, min(MOST, round(GROUP_MS / max(ms, 1e-6))))
        return found

    def _timed(self, run: Call, x: Any, group: int) -> float:
        self._start.record()
        for _ in range(group):
            called(run, x)
        self._end.record()
        self._end.synchronize()
        return float(self._start.elapsed_time(self._end))


def _warm_up(call: Call, x: Any) -> None:
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            called(call, x)
    torch.cuda.current_stream().wait_stream(side)


def _check_gpu(error: RuntimeError) -> None:
    """Raises the error where it has broken the GPU for this process; a refused capture does not."""
    try:
        torch.cuda.synchronize()
        torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError:
        raise error from None
