"""At the end of a search whose latencies were added up from a table, its front is measured."""

from collections.abc import Callable, Sequence

from evonas.records import Evaluation, Job
from evonas.runtime import Runtime

PATIENCE_S = 0.5


def check(jobs: Sequence[Job], runtime: Runtime, waiting: Callable[[], None]) -> list[Evaluation]:
    """Measure candidates on every target, by the workers of a search that has ended.

    Args:
        jobs: of the kind "measure".
        runtime: the search's.
        waiting: called while nothing happens.

    Raises:
        Halted: a target is away for too long.
    """
    left, found = list(jobs), []
    while left or runtime.pending:
        while left and runtime.free_slots:
            runtime.submit(left.pop(0))
        messages = runtime.wait(PATIENCE_S)
        found += [message for message in messages if isinstance(message, Evaluation)]
        if not messages:
            waiting()
    return found
