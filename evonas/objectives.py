"""Objectives and limits: from metrics to what is compared.

Inside evonas every objective is minimised; a metric that its owner maximises changes sign here and nowhere else.
Knows nothing of populations. Constrained domination: Deb et al., "A fast and elitist multiobjective genetic
algorithm: NSGA-II", IEEE TEC 6(2), 2002, definition 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.config import Config, LimitConfig, ObjectiveConfig, unknown
from evonas.records import Progress, Standing, TaskSpec, UserError


@dataclass(frozen=True, slots=True)
class Metric:
    """A number known of a candidate. `trained`: known only after training, not from the network's costs."""

    unit: str
    direction: str = "minimize"
    per_target: bool = False
    trained: bool = False


COSTS: dict[str, Metric] = {
    "params": Metric("parameters"),
    "macs": Metric("multiply-accumulates an example"),
    "train_memory_mb": Metric("MB"),
    "latency_ms": Metric("ms", per_target=True),
}
"""Metrics of every task. The task adds its own."""


@dataclass(frozen=True, slots=True)
class Objective:
    """key: the metric's column, e.g. "latency_ms[cpu]". sign: -1 where the metric is maximised."""

    key: str
    unit: str
    sign: int


@dataclass(frozen=True, slots=True)
class Limit:
    key: str
    bound: float
    sign: int
    trained: bool

    def excess(self, value: float) -> float:
        """How far `value` is beyond the bound, relative to the bound; 0 within it."""
        return max(0.0, self.sign * (value - self.bound)) / (abs(self.bound) or 1.0)


class Objectives:
    """What a run minimises and what it must not exceed.

    names: the metric of each objective. targets: those that some objective or limit needs measured.

    Raises:
        UserError: an unknown metric, or a target that is missing, unknown, or of no use to the metric.
    """

    def __init__(self, config: Config, task: TaskSpec) -> None:
        self._metrics = {task.metric: Metric("", task.direction, trained=True), **COSTS}
        self._config = config
        self.objectives = tuple(self._objective(i, o) for i, o in enumerate(config.objectives))
        self.limits = tuple(self._limit(i, limit) for i, limit in enumerate(config.limits))
        self.names = tuple(o.key for o in self.objectives)
        if len(set(self.names)) < len(self.names):
            raise UserError(f"objectives: {', '.join(self.names)} names a metric twice")
        parts: tuple[ObjectiveConfig | LimitConfig, ...] = (*config.objectives, *config.limits)
        used = {part.target for part in parts if part.target}
        self.targets = tuple(name for name in config.targets if name in used)
        self.metrics = (
            task.metric,
            *(name for name, metric in COSTS.items() if not metric.per_target),
            *(f"{name}[{target}]" for target in self.targets for name in ("latency_ms", "latency_iqr_ms")),
        )

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Summed relative excess over the limits whose metric is in `metrics`."""
        return sum(limit.excess(metrics[limit.key]) for limit in self.limits if limit.key in metrics)

    def standing(self, progress: Progress) -> Standing:
        """A candidate's metrics as minimised values; no values where an objective is not known yet."""
        metrics = progress.metrics
        known = all(o.key in metrics for o in self.objectives)
        values = tuple(o.sign * metrics[o.key] for o in self.objectives) if known else ()
        return Standing(progress.index, progress.rung, values, self.violation(metrics))

    def _objective(self, i: int, config: ObjectiveConfig) -> Objective:
        metric, key = self._resolve(f"objectives.{i}", config)
        return Objective(key, metric.unit, 1 if metric.direction == "minimize" else -1)

    def _limit(self, i: int, config: LimitConfig) -> Limit:
        metric, key = self._resolve(f"limits.{i}", config)
        if config.at_most is not None:
            return Limit(key, config.at_most, 1, metric.trained)
        assert config.at_least is not None
        return Limit(key, config.at_least, -1, metric.trained)

    def _resolve(self, where: str, config: ObjectiveConfig | LimitConfig) -> tuple[Metric, str]:
        if config.metric not in self._metrics:
            raise UserError(f"{where}.metric: {unknown(config.metric, self._metrics)}")
        metric = self._metrics[config.metric]
        if not metric.per_target:
            if config.target is not None:
                raise UserError(f"{where}.target: {config.metric} does not depend on a target; remove it")
            return metric, config.metric
        if not self._config.targets:
            raise UserError(f"{where}: {config.metric} needs a target: add a section, e.g. targets: {{cpu: {{}}}}")
        if config.target is None:
            names = " or ".join(self._config.targets)
            raise UserError(f"{where}: {config.metric} needs a target (target: {names})")
        if config.target not in self._config.targets:
            raise UserError(f"{where}.target: {unknown(config.target, self._config.targets)}")
        return metric, f"{config.metric}[{config.target}]"


def dominates(a: Standing, b: Standing) -> bool:
    """Constrained domination: less violation wins; among the feasible, no worse in all and better in one."""
    if a.violation or b.violation:
        return a.violation < b.violation
    return all(x <= y for x, y in zip(a.values, b.values, strict=True)) and a.values != b.values
