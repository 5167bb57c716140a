"""The strategies of evonas, through the real breeder and ledger, with the options that a user gets by default."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from evonas.config.loading import load_config
from evonas.driver.breeding import Breeder
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Genome, InputSpec, Status, TaskSpec
from evonas.strategies import STRATEGIES, Exhausted
from evonas.tabular import Tabular, nothing
from quality.metric import Points
from quality.problems import LATENCY, Problem

SPEC = TaskSpec("table", InputSpec((3, 32, 32)), (10,))
BIRTHS = 20
"""At most so many candidates are bred for a trained one that is asked for: most may be over a limit."""
Untrained = Callable[[Genome], Mapping[str, float]]
METHODS: dict[str, Mapping[str, Any]] = {
    **{name: {"strategy": {"kind": name}} for name in STRATEGIES},
    "nsga2, rung 0": {"training": {"epochs": 200, "rungs": [0]}},
    **{
        f"nsga2, rung 0, {costs}": {"training": {"epochs": 200, "rungs": [0], "before": {"costs": costs}}}
        for costs in ("unit", "logarithm")
    },
    "bayes, rung 0": {
        "strategy": {"kind": "bayes"},
        "training": {"epochs": 200, "rungs": [0], "before": {"promote": 0.5}},
    },
}
"""Name -> the sections of a config in which it differs from the default."""


def trained_by(sections: Mapping[str, Any], problem: Problem, seed: int, count: int) -> Points:
    """What the first `count` trained networks of a search have; fewer where the space is used up.

    Args:
        sections: of a config, beside those of the problem.
        problem: what is searched.
        seed: of the search.
        count: trained networks, for which the search goes on. Those over the limit are bred and not trained.
    """
    found = islice(trained(sections, problem, seed, BIRTHS * count), count)
    return np.array([values for _, values in found]).reshape(-1, len(problem.columns))


def trained(
    sections: Mapping[str, Any], problem: Problem, seed: int, births: int, untrained: Untrained = nothing
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """The networks that a search trains, each with the number of candidates that were bred by then.

    One candidate is evaluated after another; by its window, a search breeds the same ones with any number of workers.

    Args:
        sections: of a config, beside those of the problem.
        problem: what is searched.
        seed: of the search.
        births: candidates at most.
        untrained: what is known of a network before it is trained, besides what the problem has.
    """
    config = load_config(config_of(problem, seed, sections))
    objectives = Objectives(config, SPEC)
    evaluate = evaluator(problem, untrained)(problem.space, config, objectives)
    breeder = Breeder(config, problem.space, objectives)
    while breeder.next < births:
        try:
            job = breeder.breed()
        except Exhausted:
            return
        for message in evaluate(job):
            if not isinstance(message, Evaluation):
                breeder.buffer.add_report(message)
                continue
            breeder.buffer.add_evaluation(message)
            assert message.status is not Status.FAILED_ERROR, message.message
            if message.status is Status.OK:
                yield breeder.next, problem.values[problem.key(job.candidate.genome)]


def config_of(problem: Problem, seed: int, sections: Mapping[str, Any]) -> dict[str, Any]:
    """A config, as a mapping: the least that a user writes."""
    metrics = [{"metric": name.split("[")[0]} for name in problem.columns]
    objectives = [{**m, "target": "board"} if m["metric"] == "latency_ms" else m for m in metrics]
    limit = {"metric": "latency_ms", "target": "board", "at_most": problem.limit}
    return {
        "seed": seed,
        "space": {"kind": type(problem.space).__name__},
        "task": {"kind": SPEC.name},
        "objectives": objectives,
        "limits": [limit] if problem.limit is not None else [],
        "targets": {"board": {}},
        "training": {"epochs": 200},
        "budget": {"evaluations": 1000},
        "runtime": {"kind": "serial"},
        **sections,
    }


def evaluator(problem: Problem, untrained: Untrained = nothing) -> Tabular:
    """What looks the candidates of a search up: costs first, then the error."""

    def row(genome: Genome) -> dict[str, float]:
        return dict(zip(problem.columns, problem.values[problem.key(genome)], strict=True))

    return Tabular(
        trained=lambda genome, epochs: {"error": row(genome)["error"]},
        costs=lambda genome: {
            **untrained(genome),
            **{name: value for name, value in row(genome).items() if name in (LATENCY, "params")},
        },
    )
