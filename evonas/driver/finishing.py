"""What is left to do when a search has ended: its front is measured to the end, and all on it have weights."""

from collections.abc import Callable, Collection
from functools import cache, partial

from evonas.driver.front_measurement import measure_front
from evonas.driver.loop import Search
from evonas.driver.retraining import jobs_to_retrain, retrain
from evonas.runtime import Runtime
from evonas.store import Folder, Store, kept_weights, read_measured, recover
from evonas.text import counted


def finish(
    search: Search, folder: Folder, store: Store, start: Callable[[], Runtime], trained: Collection[str] | None
) -> None:
    """Do it.

    Args:
        search: that has ended, whatever by.
        folder: of the run.
        store: of the run.
        start: starts other workers, who are needed where those of the search are at what the end of the time stopped.
        trained: the metrics of the task; None where nothing is trained.

    Raises:
        Halted: a target is away for too long, no worker can start any more, or the record cannot be written.
    """
    workers = cache(partial(_free_workers, search, start))
    known = {row["candidate"]: row["metrics"] for row in read_measured(folder, by_search=True) if not row["message"]}
    front = measure_front(search, workers, store, known, search.tell)
    if trained is None:
        return
    evaluated = recover(folder, search.objectives.metrics, search.objectives.targets).evaluated
    if jobs := [*jobs_to_retrain(search, front, kept_weights(folder), evaluated)]:
        doing = f"training {counted(len(jobs), 'network')} of the front again, for the weights"
        retrain(jobs, workers(), store, trained, partial(search.tell, doing))


def _free_workers(search: Search, start: Callable[[], Runtime]) -> Runtime:
    """Workers that have nothing to do."""
    if not search.runtime.pending:
        return search.runtime
    search.runtime.close()
    return start()
