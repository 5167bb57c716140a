"""Strategies: what to evaluate next. To add one: a file here and a line in STRATEGIES."""

from collections.abc import Callable

from evonas.strategies.bayes import Bayes
from evonas.strategies.nsga2 import NSGA2
from evonas.strategies.random import Random
from evonas.strategies.regularised import RegularisedEvolution
from evonas.strategies.strategy import Exhausted, Problem, Proposal, Report, Selection, Strategy, Survivor
from evonas.strategies.survival import NSGA2Selection, survivors
from evonas.strategies.variation import mutate, uniform_crossover

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "bayes": Bayes,
    "nsga2": NSGA2,
    "random": Random,
    "regularised_evolution": RegularisedEvolution,
}
"""By the `kind` of a config's strategy section: takes a `Problem`, and the section's other keys as options."""

__all__ = [
    "NSGA2",
    "STRATEGIES",
    "Bayes",
    "Exhausted",
    "NSGA2Selection",
    "Problem",
    "Proposal",
    "Random",
    "RegularisedEvolution",
    "Report",
    "Selection",
    "Strategy",
    "Survivor",
    "mutate",
    "survivors",
    "uniform_crossover",
]
