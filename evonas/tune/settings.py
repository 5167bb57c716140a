"""What a searcher is made with besides metrics and space, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evonas.config import StrategyConfig
from evonas.config.options import check_options, construct, options_model
from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.objectives.objectives import Objective
from evonas.spaces.space import Space
from evonas.strategies import STRATEGIES, Problem, Strategy
from evonas.tune.aims import Limits

ARGUMENTS = ("metric", "mode", "limits", "strategy", "space", "levels", "seed")
"""Of `EvolutionSearcher`, besides the options of a strategy."""
GENERATION = 24
"""Candidates in a block of a record, of which there is none here; a strategy without a population may look at it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """limits: as the user gave them. levels: of a continuous domain."""

    limits: Limits
    strategy: StrategyConfig
    levels: int
    seed: int

    def new_strategy(self, space: Space, objectives: tuple[Objective, ...]) -> Strategy:
        """A strategy that was told nothing.

        Args:
            space: of the genomes.
            objectives: in the order of `Fitness.values`.

        Raises:
            UserError: it refuses its options.
        """
        generation = self.strategy.options.get("population", GENERATION)
        return construct(STRATEGIES, self.strategy, "strategy", Problem(space, self.seed, objectives, generation))

    def described(self) -> dict[str, Any]:
        """As plain data, what of it makes a search what it is."""
        return {
            "limits": {name: dict(bounds) for name, bounds in self.limits.items()},
            "strategy": {"kind": self.strategy.kind, **self.strategy.options},
            "seed": self.seed,
        }


def settings(limits: Limits | None, kind: str, options: Mapping[str, Any], levels: int, seed: int) -> Settings:
    """Check what a user gives.

    Args:
        limits: as `aims` checks them; None for none.
        kind: of the strategy.
        options: of the strategy, and whatever else was given by a name that is no argument.
        levels: of a continuous domain, 2 or more.
        seed: of the search, 0 or more.

    Raises:
        UserError: something is wrong; says what would be right.
    """
    for name, value, least in (("levels", levels, 2), ("seed", seed, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"{name}: takes a whole number of {least} or more, not {value!r}")
    if kind in STRATEGIES:
        known = options_model(STRATEGIES[kind]).model_fields
        if wrong := next((name for name in options if name not in known), None):
            raise UserError(f"EvolutionSearcher: {unknown(wrong, (*ARGUMENTS, *known))}")
    section = StrategyConfig(kind=kind, **options)
    check_options(STRATEGIES, section, "strategy")
    return Settings(limits or {}, section, levels, seed)
