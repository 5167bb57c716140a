"""Jobs for the workers of a search that has ended."""

from collections.abc import Callable, Iterable, Iterator

from evonas.records import Evaluation, Job
from evonas.runtime import Runtime

PATIENCE_S = 0.5


def results(jobs: Iterable[Job], runtime: Runtime, waiting: Callable[[], None]) -> Iterator[Evaluation]:
    """Hand jobs to workers that have nothing else to do.

    Args:
        jobs: in the order in which they begin.
        runtime: the workers.
        waiting: called while nothing happens.

    Yields:
        What each comes to, as it does.

    Raises:
        Halted: no worker can start any more, or a target is away for too long.
    """
    left = list(jobs)
    waiting()
    while left or runtime.pending:
        while left and runtime.free_slots:
            runtime.submit(left.pop(0))
        messages = runtime.wait(PATIENCE_S)
        yield from (message for message in messages if isinstance(message, Evaluation))
        if not messages:
            waiting()
