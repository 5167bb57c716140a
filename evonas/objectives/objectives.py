"""Objectives and limits: from metrics to what is compared.

Inside evonas every objective is minimised; a metric that its owner maximises changes sign here and nowhere else.
Knows nothing of populations. Constrained domination: Deb et al., "A fast and elitist multiobjective genetic
algorithm: NSGA-II", IEEE TEC 6(2), 2002, definition 1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evonas.config import SUPERNET, Config, LimitConfig, ObjectiveConfig
from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.objectives.metrics import AGGREGATE, AGGREGATED, EXTRAS, MEASURED, TABULATED, Metric, registered
from evonas.records import Fitness, RungReport, TaskSpec

BEFORE = "before."
"""What columns begin with that say what was expected before training."""
INHERITED = "inherited."
"""What columns begin with that are metrics of the task with the weights of a supernet."""


@dataclass(frozen=True, slots=True)
class Objective:
    """key: the metric's column, e.g. "latency_ms[cpu]". sign: -1 where the metric is maximised. target: where it is
    measured, with an interval; "" of what is the same each time. trained: it is known only after training."""

    key: str
    unit: str
    sign: int
    target: str = ""
    trained: bool = False


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

    names: the metric of each objective. targets: those that some objective or limit needs. tables: target -> file, of
    those whose latency is not measured. extras: target -> what is to be found out there besides the latency.
    judged: target of dtype int8 -> metrics of the task that are to be found out there, of the trained network.
    metrics: the columns of a row. named: those that an objective, a limit or `record` names. network_metrics: those
    that are computed of the network. needs_training: those named that are known only after training. inherited:
    metrics of the task that are computed with the weights of a supernet.

    Raises:
        UserError: an unknown metric, one that task and `METRICS` both have, one that is registered and can be none, one
            of a name that means something else at rung 0, or a target that is missing, unknown, or of no use to the
            metric.
    """

    def __init__(self, config: Config, task: TaskSpec) -> None:
        own = registered()
        if twice := own.keys() & task.metrics.keys():
            raise UserError(
                f"metric {min(twice)}: both the task {task.name} and METRICS have one of this name; rename one of them"
            )
        self._metrics = {
            **own,
            **{name: Metric("", direction, "trained") for name, direction in task.metrics.items()},
        }
        self._config = config
        self.objectives = tuple(self._objective(i, o) for i, o in enumerate(config.objectives))
        self.limits = tuple(self._limit(i, limit) for i, limit in enumerate(config.limits))
        self.names = tuple(o.key for o in self.objectives)
        self.before = config.training.before if config.training.begins_at_0 else None
        if len(set(self.names)) < len(self.names):
            raise UserError(f"objectives: {', '.join(self.names)} names a metric twice")
        if self.by_supernet and SUPERNET in self._metrics:
            raise UserError(
                f"metric {SUPERNET}: training.before has this name for inherited weights; rename the metric"
            )
        recorded = [_recorded(name) for name in config.record]
        if self.by_metric:
            recorded.append(self._stand_in(self.before.kind))  # type: ignore[union-attr]
        if self.by_scores:
            recorded += [_recorded(name) for name in AGGREGATED]
        also = [self._resolve(f"record.{i}", part)[1] for i, part in enumerate(recorded)]
        self.inherited = self._inherited()
        columns = (INHERITED + name for name in self.inherited)
        self.named = frozenset((*self.names, *(limit.key for limit in self.limits), *also, *columns))
        parts: tuple[ObjectiveConfig | LimitConfig, ...] = (*config.objectives, *config.limits, *recorded)
        used = {part.target for part in parts if part.target}
        self.targets = tuple(name for name in config.targets if name in used)
        self.tables = {name: table for name in self.targets if (table := _table(name, parts))}
        self.needs_training = sorted({part.metric for part in parts if self._metrics[part.metric].trained})
        self.extras = {
            name: tuple(e for e in EXTRAS if any(p.target == name and p.metric == e for p in parts))
            for name in self.targets
        }
        self.judged = {
            name: tuple(m for m in task.metrics if any(p.target == name and p.metric == m for p in parts))
            for name in self.targets
        }
        named = {part.metric for part in parts}
        self.network_metrics = tuple(
            name
            for name, metric in self._metrics.items()
            if metric.stage == "network" and (metric.always or name in named)
        )
        self.metrics = (
            *task.metrics,
            *self.network_metrics,
            *(f"{name}[{target}]" for target in self.targets for name in self._columns(target)),
            *(INHERITED + name for name in self.inherited),
            *self._columns_before(),
        )

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Summed relative excess over the limits whose metric is in `metrics`."""
        return sum(limit.excess(metrics[limit.key]) for limit in self.limits if limit.key in metrics)

    def over_limits(self, metrics: Mapping[str, float]) -> str:
        """The limits on costs that `metrics` break, as text; empty where there are none."""
        return "; ".join(
            f"{limit.key} is {_text(metrics[limit.key])}, the limit {_text(limit.bound)}"
            for limit in self.limits
            if limit.key in metrics and not limit.trained and limit.excess(metrics[limit.key])
        )

    def undecided_limits(self, metrics: Mapping[str, float], target: str) -> bool:
        """Whether a limit lies within the interval of the latency that it is about.

        Args:
            metrics: with the ends of the interval.
            target: where it was measured.
        """
        for limit in self.limits:
            if limit.key in (f"latency_ms[{target}]", f"examples_per_s[{target}]"):
                low, high = _interval(Objective(limit.key, "", limit.sign, target), metrics)
                if low <= limit.sign * limit.bound <= high:
                    return True
        return False

    def fitness(self, report: RungReport) -> Fitness:
        """A candidate's metrics as minimised values; no values where an objective is not known yet."""
        metrics = known = report.metrics
        if self.before and report.rung == 0:  # what is expected, in the place of what is not known yet
            own = {o.key: metrics[BEFORE + o.key] for o in self.objectives if BEFORE + o.key in metrics}
            metrics = {**metrics, **own}
            known = known if self.by_scores or self.by_supernet else metrics  # ranks and a bias have no limit
        whole = all(o.key in metrics for o in self.objectives)
        values = tuple(o.sign * metrics[o.key] for o in self.objectives) if whole else ()
        intervals = tuple(_interval(o, metrics) for o in self.objectives) if whole and self.noisy else ()
        return Fitness(report.index, report.rung, values, self.violation(known), intervals)

    @property
    def noisy(self) -> bool:
        """Whether some objective is measured, so that it is another each time."""
        return any(o.target for o in self.objectives)

    @property
    def by_metric(self) -> bool:
        """Whether at rung 0 a metric of the untrained network stands in for what training would give."""
        return bool(self.before) and not self.by_supernet and self.before.kind in self._metrics  # type: ignore[union-attr]

    @property
    def by_supernet(self) -> bool:
        """Whether at rung 0 metrics with inherited weights stand in for those of training."""
        return bool(self.before) and self.before.kind == SUPERNET  # type: ignore[union-attr]

    @property
    def by_scores(self) -> bool:
        """Whether at rung 0 the ranks of several scores stand in for what training would give."""
        return bool(self.before) and self.before.kind == AGGREGATE and not self.by_metric  # type: ignore[union-attr]

    @property
    def expected(self) -> tuple[str, ...]:
        """The columns of objectives and limits that are known only after training."""
        own = [objective.key for objective in self.objectives if objective.trained]
        return tuple(dict.fromkeys([*own, *(limit.key for limit in self.limits if limit.trained)]))

    def _inherited(self) -> tuple[str, ...]:
        """Of an objective in 8 bits it is the metric that the network has in float32."""
        keys = (objective.key for objective in self.objectives if self.by_supernet and objective.trained)
        return tuple(dict.fromkeys(key.partition("[")[0] for key in keys))

    def _columns_before(self) -> tuple[str, ...]:
        """What rows say of rung 0."""
        if not self.before:
            return ()
        return tuple(BEFORE + name for name in (*self.expected, "gain", "threshold", "always"))

    def _stand_in(self, kind: str) -> ObjectiveConfig:
        if self._metrics[kind].stage != "network":
            raise UserError(f"training.before: {kind} is not known of a network alone; name one that is, e.g. params")
        return _recorded(kind)

    def _columns(self, target: str) -> tuple[str, ...]:
        return (*(TABULATED if target in self.tables else MEASURED), *self.extras[target], *self.judged[target])

    def _objective(self, i: int, config: ObjectiveConfig) -> Objective:
        metric, key = self._resolve(f"objectives.{i}", config)
        noisy = config.metric in ("latency_ms", "examples_per_s") and not config.table
        sign = 1 if metric.direction == "minimize" else -1
        return Objective(key, metric.unit, sign, (config.target or "") if noisy else "", metric.trained)

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
            if config.table is not None:
                raise UserError(f"{where}.from: {config.metric} is known without a table; remove it")
            if config.target is None:
                return metric, config.metric
            return metric, self._judged_on(where, config, metric)
        if config.table is not None and config.metric not in TABULATED:
            raise UserError(f"{where}.from: a table holds latencies, {config.metric} is measured; remove it")
        if not self._config.targets:
            raise UserError(f"{where}: {config.metric} needs a target: add a section, e.g. targets: {{cpu: {{}}}}")
        if config.target is None:
            names = " or ".join(self._config.targets)
            raise UserError(f"{where}: {config.metric} needs a target (target: {names})")
        if config.target not in self._config.targets:
            raise UserError(f"{where}.target: {unknown(config.target, self._config.targets)}")
        return metric, f"{config.metric}[{config.target}]"

    def _judged_on(self, where: str, config: ObjectiveConfig | LimitConfig, metric: Metric) -> str:
        """The column of a metric of the task in the 8 bits of a target."""
        if not metric.trained:
            raise UserError(f"{where}.target: {config.metric} does not depend on a target; remove it")
        if config.target not in self._config.targets:
            raise UserError(f"{where}.target: {unknown(str(config.target), self._config.targets)}")
        if (dtype := self._config.targets[config.target].dtype) != "int8":
            raise UserError(
                f"{where}.target: {config.metric} does not depend on a target of {dtype}; remove it, or give "
                f"targets.{config.target}.dtype: int8"
            )
        return f"{config.metric}[{config.target}]"


def _text(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def dominates(a: Fitness, b: Fitness) -> bool:
    """Constrained domination: less violation wins; among the feasible, no worse in all and better in one."""
    if a.violation or b.violation:
        return a.violation < b.violation
    return all(x <= y for x, y in zip(a.values, b.values, strict=True)) and a.values != b.values


def _recorded(name: str) -> ObjectiveConfig:
    """A name of `record`, e.g. "depth" or "memory_mb[cpu]", as an objective that is none."""
    metric, bracket, target = name.partition("[")
    return ObjectiveConfig(metric=metric, target=target.removesuffix("]") if bracket else None)


def _table(target: str, parts: Iterable[ObjectiveConfig | LimitConfig]) -> str | None:
    """The table that gives a target's latencies, if one does."""
    own = [part for part in parts if part.target == target]
    files = {part.table for part in own}
    if len(files) > 1:
        names = " and ".join(sorted(file or "a measurement" for file in files))
        which = ", ".join(sorted({part.metric for part in own}))
        raise UserError(
            f"targets.{target}: {which} come from {names}; give all of them the same `from`, or use two targets"
        )
    return files.pop()


def _interval(objective: Objective, metrics: Mapping[str, float]) -> tuple[float, float]:
    """Where the minimised value of an objective lies with 95 % confidence."""
    value = metrics[objective.key]
    middle, low, high = (metrics.get(f"latency_{end}ms[{objective.target}]") for end in ("", "low_", "high_"))
    if not objective.target or middle is None or low is None or high is None:
        return objective.sign * value, objective.sign * value
    ends = (low, high) if objective.sign > 0 else (-value * middle / low, -value * middle / high)
    return min(ends), max(ends)
