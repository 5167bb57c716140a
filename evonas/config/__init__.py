"""A run's YAML: one strict model per section, its defaults, its errors, its fingerprint.

A config is data: reading one imports and evaluates nothing. What a `kind` means is the business of the registry of its
noun (`SPACES`, `TASKS`, `STRATEGIES`); `options.construct` checks a section's options against the constructor it names,
so the built-in parts and a user's own are validated alike.
"""

from evonas.config.augment import AugmentConfig
from evonas.config.budget import BudgetConfig
from evonas.config.config import GENERATION, LATER_TRAINING_KEYS, MUTABLE_SECTIONS, PLACES, Config
from evonas.config.runtime import RuntimeConfig
from evonas.config.section import PartConfig, Section
from evonas.config.sections import LimitConfig, ObjectiveConfig, ScheduleConfig, StrategyConfig
from evonas.config.targets import BEFORE, ENDPOINT_KEYS, LONGEST_TIMEOUT_S, TargetConfig
from evonas.config.training import SUPERNET, TrainingConfig

__all__ = [
    "BEFORE",
    "ENDPOINT_KEYS",
    "GENERATION",
    "LATER_TRAINING_KEYS",
    "LONGEST_TIMEOUT_S",
    "MUTABLE_SECTIONS",
    "PLACES",
    "SUPERNET",
    "AugmentConfig",
    "BudgetConfig",
    "Config",
    "LimitConfig",
    "ObjectiveConfig",
    "PartConfig",
    "RuntimeConfig",
    "ScheduleConfig",
    "Section",
    "StrategyConfig",
    "TargetConfig",
    "TrainingConfig",
]
