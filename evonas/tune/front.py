"""The trials that no other is better than in everything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ray.tune.utils import flatten_dict

from evonas.objectives.pareto import front
from evonas.tune.aims import Aims


@dataclass(frozen=True, slots=True)
class FrontTrial:
    """A trial that no other is better than in everything.

    Args:
        config: what it was given; of a searcher without the constants of `param_space`, which it does not know.
        metrics: what it reached, of the objectives and of what is limited.
        trial_id: Tune's name for it; `point-N` of the N-th point that was added.
    """

    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    trial_id: str


def non_dominated(reached: Mapping[str, Mapping[str, float]], aims: Aims) -> list[str]:
    """Those that none dominates.

    Args:
        reached: trial -> metrics, finite.
        aims: of the search.

    Returns:
        Trials that are over no limit, best in the first objective first.
    """
    trials = [*reached]
    members = front([aims.fitness(index, reached[trial]) for index, trial in enumerate(trials)])
    return [trials[member.index] for member in sorted(members, key=lambda member: (member.values, member.index))]


def front_of(results: Iterable[Any], aims: Aims) -> list[FrontTrial]:
    """The front of what a `Tuner` returns.

    Args:
        results: a `ResultGrid`.
        aims: of the search.

    Returns:
        As of `EvolutionSearcher.front`. Trials that raised or cannot be compared are left out.
    """
    found: dict[str, FrontTrial] = {}
    for place, result in enumerate(results):
        flat = flatten_dict(result.metrics or {})
        if not result.error and not aims.fault(flat):
            trial = str(flat.get("trial_id", place))
            found[trial] = FrontTrial(result.config or {}, aims.metrics(flat), trial)
    return [found[trial] for trial in non_dominated({name: one.metrics for name, one in found.items()}, aims)]
