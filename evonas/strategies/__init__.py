"""Strategies: what to evaluate next. To add one: a file here and a line in STRATEGIES."""

from collections.abc import Callable

from evonas.strategies.bayes import Bayes
from evonas.strategies.local_search import LocalSearch
from evonas.strategies.nsga2 import NSGA2
from evonas.strategies.random import Random
from evonas.strategies.regularised import RegularisedEvolution
from evonas.strategies.reinforce import Reinforce
from evonas.strategies.strategy import Exhausted, Problem, Proposal, Report, Selection, Strategy, Survivor
from evonas.strategies.survival import NSGA2Selection, survivors
from evonas.strategies.variation import mutate, neighbours, uniform_crossover

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "bayes": Bayes,
    "local_search": LocalSearch,
    "nsga2": NSGA2,
    "random": Random,
    "regularised_evolution": RegularisedEvolution,
    "reinforce": Reinforce,
}
"""By the `kind` of a config's strategy section: takes a `Problem`, and the section's other keys as options."""

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "Bayes",
    "Exhausted",
    "LocalSearch",
    "NSGA2Selection",
    "Problem",
    "Proposal",
    "Random",
    "RegularisedEvolution",
    "Reinforce",
    "Report",
    "Selection",
    "Strategy",
    "Survivor",
    "mutate",
    "neighbours",
    "survivors",
    "uniform_crossover",
]
