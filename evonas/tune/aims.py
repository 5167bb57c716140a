"""What a user of Tune calls metric, mode and limits, as objectives and limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.objectives.objectives import Limit, Objective
from evonas.records import Fitness

SIGNS = {"min": 1, "max": -1}
BOUNDS = {"at_most": 1, "at_least": -1}
Limits = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Aims:
    """What is minimised or maximised, and what must not be exceeded.

    Args:
        objectives: in the order of `metric`.
        limits: hard ones; a trial over one is worse than any that is not.
    """

    objectives: tuple[Objective, ...]
    limits: tuple[Limit, ...]

    @property
    def named(self) -> tuple[str, ...]:
        """The metrics that a trial must have, each once: objectives, then those that are limited alone."""
        return tuple(dict.fromkeys([*(o.key for o in self.objectives), *(limit.key for limit in self.limits)]))

    def fault(self, result: Mapping[str, Any]) -> str:
        """Why a trial's result cannot be compared.

        Args:
            result: metric -> value, flat.

        Returns:
            One line; empty where it can.
        """
        for name in self.named:
            if name not in result:
                return f"it did not report {name}"
            if not isinstance(result[name], Real) or not math.isfinite(result[name]):
                return f"{name} is {result[name]!r}, and must be a finite number"
        return ""

    def metrics(self, result: Mapping[str, Any]) -> dict[str, float]:
        """What is kept of a result that can be compared."""
        return {name: float(result[name]) for name in self.named}

    def of_point(self, value: object) -> dict[str, float]:
        """The metrics of a config that was evaluated elsewhere.

        Args:
            value: metric -> number, or the objectives' numbers in their order.

        Returns:
            All that are named.

        Raises:
            UserError: one is missing, or no finite number.
        """
        keys = [objective.key for objective in self.objectives]
        given = value if isinstance(value, Mapping | Sequence) else [value]
        if not isinstance(given, Mapping) and len(given) != len(keys):
            raise UserError(f"a point: give a mapping with {', '.join(self.named)}, not {value!r}")
        result = given if isinstance(given, Mapping) else dict(zip(keys, given, strict=True))
        if fault := self.fault(result):
            raise UserError(f"a point: {fault}")
        return self.metrics(result)

    def fitness(self, index: int, metrics: Mapping[str, float]) -> Fitness:
        """As strategies compare.

        Args:
            index: of the trial.
            metrics: all that are named, finite.

        Returns:
            Minimised values, and the summed relative excess over the limits.
        """
        values = tuple(o.sign * metrics[o.key] for o in self.objectives)
        return Fitness(index, 0, values, sum(limit.excess(metrics[limit.key]) for limit in self.limits))


def aims(metric: str | Sequence[str], mode: str | Sequence[str], limits: Limits) -> Aims:
    """Check what a user gives.

    Args:
        metric: one or several names of what trials report.
        mode: "min" or "max", one for each metric.
        limits: metric -> {"at_most": number}, {"at_least": number} or both.

    Returns:
        The objectives and limits of a search.

    Raises:
        UserError: they do not fit together; says what would.
    """
    names, modes = _several(metric), _several(mode)
    if isinstance(metric, str) != isinstance(mode, str) or len(names) != len(modes):
        raise UserError(f"metric and mode: give a mode for each metric, as a list; not {metric!r} and {mode!r}")
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise UserError(f"metric: takes one or several different names of what trials report, not {metric!r}")
    if not all(isinstance(one, str) and one in SIGNS for one in modes):
        raise UserError(f"mode: takes min or max for each metric, not {mode!r}")
    objectives = tuple(Objective(name, "", SIGNS[one]) for name, one in zip(names, modes, strict=True))
    return Aims(objectives, tuple(limit for name, bounds in limits.items() for limit in _limits(name, bounds)))


def _several(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _limits(name: str, bounds: Any) -> list[Limit]:
    if not isinstance(bounds, Mapping) or not bounds:
        raise UserError(f"limits.{name}: takes {{'at_most': NUMBER}} or {{'at_least': NUMBER}}, not {bounds!r}")
    for key, bound in bounds.items():
        if key not in BOUNDS:
            raise UserError(f"limits.{name}: {unknown(str(key), BOUNDS)}")
        if not isinstance(bound, Real) or not math.isfinite(bound):
            raise UserError(f"limits.{name}.{key}: takes a finite number, not {bound!r}")
    return [Limit(name, float(bound), BOUNDS[key], trained=True) for key, bound in bounds.items()]
