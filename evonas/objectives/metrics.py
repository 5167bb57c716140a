"""The numbers that are known of a candidate: their names, units and directions. Needs no torch.

To add one that is computed of a network: a function of (network, task, data, training) and one line,
`METRICS["depth"] = Metric("layers", compute=depth)`. It is resolved where the search is started and sent to the
workers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from evonas.errors import UserError
from evonas.records import check_direction, check_metric_name

Stage = Literal["network", "target", "trained"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number known of a candidate.

    Args:
        unit: for people.
        direction: "minimize" or "maximize".
        stage: when it is known: "network", of the untrained network; "target", measured on a device; "trained", of the
            validation examples.
        always: it is in every row, whether an objective, a limit or `record` names it or not.
        compute: of a metric of stage "network" that is not evonas's own, what computes it: (network, task, data,
            training) -> a finite number; see `evonas.evaluation.untrained.costs.Compute`.

    Raises:
        ValueError: the unit is no text, the direction or the stage is another, `compute` is no function, or nothing
            would call it.
    """

    unit: str
    direction: str = "minimize"
    stage: Stage = "network"
    always: bool = False
    compute: Callable[..., float] | None = None

    def __post_init__(self) -> None:
        check_direction(self.direction)
        if not isinstance(self.unit, str):
            raise ValueError(f"the unit of a metric is a text, not {self.unit!r}")
        if self.stage not in get_args(Stage):
            raise ValueError(f"the stage of a metric is {', '.join(get_args(Stage))}, not {self.stage!r}")
        if self.compute is not None and not callable(self.compute):
            raise ValueError(f"Metric: compute is a function, not {self.compute!r}")
        if self.compute is not None and self.stage != "network":
            raise ValueError(f"Metric: nothing calls compute at stage {self.stage}; leave the stage out")

    @property
    def per_target(self) -> bool:
        """Whether it is measured on a device, so that an objective names a target."""
        return self.stage == "target"

    @property
    def trained(self) -> bool:
        """Whether it is known only of a network that was trained."""
        return self.stage == "trained"


METRICS: dict[str, Metric] = {
    "params": Metric("parameters", always=True),
    "macs": Metric("multiply-accumulates an example", always=True),
    "train_memory_mb": Metric("MB", always=True),
    "kv_cache_mb": Metric("MB"),
    "grad_norm": Metric("", "maximize"),
    "snip": Metric("", "maximize"),
    "synflow": Metric("", "maximize"),
    "naswot": Metric("", "maximize"),
    "zico": Metric("", "maximize"),
    "az_expressivity": Metric("nats", "maximize"),
    "az_progressivity": Metric("nats", "maximize"),
    "az_trainability": Metric("", "maximize"),
    "latency_ms": Metric("ms", stage="target"),
    "latency_p90_ms": Metric("ms", stage="target"),
    "examples_per_s": Metric("examples/s", "maximize", stage="target"),
    "memory_mb": Metric("MB", stage="target"),
    "size_mb": Metric("MB", stage="target"),
    "energy_mj": Metric("mJ", stage="target"),
}
"""Metrics that a config can name with every task. The task adds its own."""

SCORES = (
    "grad_norm",
    "snip",
    "synflow",
    "naswot",
    "zico",
    "az_expressivity",
    "az_progressivity",
    "az_trainability",
)
"""Those that are guesses at what an untrained network could learn."""

AGGREGATE = "scores"
"""The kind of `training.before` which stands for all of AGGREGATED."""
AGGREGATED = ("az_expressivity", "az_progressivity", "az_trainability", "macs")
"""Metrics whose ranks AZ-NAS adds up (Lee & Ham, CVPR 2024); more of each is better."""

MEASURED = (
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "latency_p90_ms",
    "latency_raw_ms",
    "reference_ms",
    "drift",
    "examples_per_s",
    "settled",
    "remeasured",
)
"""Columns of each target that is measured: `Measurement`, then examples a second, 1 where the interval came within its
bound, and how often the network was measured again beside members of the front that it could not be told from."""
TABULATED = ("latency_ms", "examples_per_s")
"""Columns of each target whose latency is added up from a table."""
EXTRAS = ("memory_mb", "size_mb", "energy_mj")
"""Columns of a target that are there where an objective, a limit or `record` names them."""


def registered() -> dict[str, Metric]:
    """`METRICS`, where a user may have put anything.

    Returns:
        Name -> metric.

    Raises:
        UserError: a name can be none of a metric, an entry is no `Metric`, or nothing finds out what it is.
    """
    for name, metric in METRICS.items():
        try:
            check_metric_name(name)
        except ValueError as error:
            raise UserError(f"METRICS: {error}") from None
        if not isinstance(metric, Metric):
            right = f"Metric(UNIT, compute={getattr(metric, '__name__', 'FUNCTION')})"
            raise UserError(f"METRICS[{name!r}] is a {type(metric).__name__}, not a Metric: give {right}")
        if metric.stage == "target" and name not in (*MEASURED, *EXTRAS):
            raise UserError(f"METRICS[{name!r}]: no target measures it; of your own are metrics of stage network")
        if metric.stage == "trained":
            raise UserError(
                f"METRICS[{name!r}]: what is known of a trained network is a metric of its task (TaskMetric); "
                "those in METRICS are of stage network"
            )
    return dict(METRICS)
