"""Strategies: what to evaluate next. To add one: a file here and a line in STRATEGIES."""

from collections.abc import Callable

from evonas.strategies.nsga2 import NSGA2
from evonas.strategies.random import Random
from evonas.strategies.strategy import Exhausted, Proposal, Strategy
from evonas.strategies.survival import Survivor, survivors

STRATEGIES: dict[str, Callable[..., Strategy]] = {"nsga2": NSGA2, "random": Random}

__all__ = ["NSGA2", "STRATEGIES", "Exhausted", "Proposal", "Random", "Strategy", "Survivor", "survivors"]
