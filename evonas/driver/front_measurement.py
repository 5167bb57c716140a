"""At the end of a search its front is measured to the end, on every target.

Until then the latencies of many of its members are known within a wide interval, from a measurement that took a moment,
or were added up from a table. What is measured now takes the place of the former, which may change who is on the front;
beside what a table says it is another number, and changes nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from evonas.driver.afterwards import results
from evonas.driver.loop import Search
from evonas.objectives import pareto
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Fitness
from evonas.runtime import Runtime
from evonas.store import Store, refined_metrics
from evonas.text import counted

Metrics = Mapping[str, float]


def measure_front(
    search: Search,
    workers: Callable[[], Runtime],
    store: Store,
    known: Mapping[int, Metrics],
    waiting: Callable[[str], None],
) -> set[int]:
    """Measure who is on the front and was not measured to the end, until that holds for all who are on it.

    Args:
        search: that has ended.
        workers: gives workers that have nothing to do; called where something is to be measured.
        store: of the run; gets each measurement as it comes.
        known: candidate -> what it was found to take by an earlier start of the search.
        waiting: called while nothing happens, with what is done.

    Returns:
        The front, with the latencies that are known now.

    Raises:
        Halted: a target is away for too long.
    """
    later, tried = dict(known), set(known)
    while left := sorted(front(search, later) & search.unmeasured - tried):
        for found in results(map(search.breeder.check, left), workers(), partial(waiting, _doing(tried, left))):
            judged = with_violation(found, search.objectives)
            store.measured(judged)
            if not judged.message:
                later[judged.candidate.index] = judged.metrics
        tried.update(left)  # one that fails is not asked again before the search is started again
    return front(search, later)


def _doing(tried: Collection[int], left: Collection[int]) -> str:
    return f"measuring the front to the end: {counted(len(left), 'network')}{' more' if tried else ''}"


def front(search: Search, later: Mapping[int, Metrics]) -> set[int]:
    """Who is on the front.

    Args:
        search: whose candidates they are.
        later: candidate -> what it was found to take after the search.
    """
    fitnesses = [
        _refined(
            known, search.objectives, refined_metrics(later.get(known.index, {}), search.screened.get(known.index, {}))
        )
        for known in search.breeder.buffer.fully_trained(search.order)
    ]
    return {fitness.index for fitness in pareto.front(fitnesses)}


def with_violation(found: Evaluation, objectives: Objectives) -> Evaluation:
    """A measurement that says how far it is over the limits."""
    return replace(found, metrics={**found.metrics, "violation": objectives.violation(found.metrics)})


def _refined(fitness: Fitness, objectives: Objectives, metrics: Metrics) -> Fitness:
    """A fitness with what was measured later."""
    values = zip(objectives.objectives, fitness.values, strict=True)
    return replace(
        fitness,
        values=tuple(one.sign * metrics[one.key] if one.key in metrics else value for one, value in values),
        violation=max(fitness.violation, metrics.get("violation", 0.0)),
    )
