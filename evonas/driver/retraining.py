"""At the end of a search, those on its front of whom no weights are kept are trained again.

That are networks which another run trained, and those that have come onto the front since it was measured to the end.
They are trained by their own seed and as jobs that have reached all that they can reach, so that nothing is measured
and nothing decided again. On a CPU of the same kind the numbers come out equal to the bit; it is
said where they do not.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set

from evonas.driver.afterwards import results
from evonas.driver.loop import Search
from evonas.records import Epoch, Evaluation, Job
from evonas.runtime import Runtime
from evonas.store import Store


def jobs_to_retrain(search: Search, front: Set[int], kept: Set[int], evaluated: Iterable[Evaluation]) -> Iterator[Job]:
    """The jobs of those on the front of whom no weights were ever in this run.

    Args:
        search: that has ended.
        front: with the latencies that were measured after it.
        kept: candidates whose weights are there.
        evaluated: all candidates.
    """
    there = search.front()
    for known in evaluated:
        index = known.candidate.index
        founder = search.breeder.founder(index)
        if index in front - kept and known.rungs and (index not in there or (founder and founder.known)):
            yield search.breeder.retrain(index, known.rungs)


def retrain(
    jobs: Sequence[Job], runtime: Runtime, store: Store, names: Collection[str], waiting: Callable[[], None]
) -> None:
    """Train networks again for their weights, by the workers of a search that has ended, and record each.

    Args:
        jobs: of `jobs_to_retrain`.
        runtime: the search's.
        store: of the run.
        names: the task's metrics, which must come out as they were.
        waiting: called while nothing happens.

    Raises:
        Halted: no worker can start any more, or the record cannot be written.
    """
    recorded = {job.candidate.index: job.reached[-1].metrics for job in jobs}
    for found in results(jobs, runtime, waiting):
        store.retrained(found, difference(found, recorded[found.candidate.index], names))


def difference(found: Evaluation, recorded: Mapping[str, float], names: Collection[str]) -> str:
    """In what a training is not the one that was recorded, in one line; empty where it is the same to the bit.

    Args:
        found: of the training.
        recorded: the metrics of the row.
        names: those that are compared.
    """
    if not found.weights:
        return f"{found.status}: {found.message}" if found.message else f"{found.status}: it gave no weights"
    reached: Mapping[str, float] = _last(found.curve)
    other = [name for name in names if name in recorded and reached.get(name, recorded[name]) != recorded[name]]
    return "; ".join(f"{name} is {reached[name]:.6g} now, {recorded[name]:.6g} in its row" for name in other)


def _last(curve: Sequence[Epoch]) -> Mapping[str, float]:
    return curve[-1].metrics if curve else {}
