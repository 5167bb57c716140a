"""The numbers that are known of a candidate: their names, units and directions. Needs no torch.

To add one that is computed of a network: a function of (network, task, data, training) and one line,
`METRICS["depth"] = Metric("layers", compute=depth)`. It is resolved where the search is started and sent to the
workers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
            training) -> a finite number; see `evonas.evaluation.costs.Compute`.
    """

    unit: str
    direction: str = "minimize"
    stage: Stage = "network"
    always: bool = False
    compute: Callable[..., float] | None = None

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
    "latency_ms": Metric("ms", stage="target"),
    "latency_p90_ms": Metric("ms", stage="target"),
    "examples_per_s": Metric("examples/s", "maximize", stage="target"),
    "memory_mb": Metric("MB", stage="target"),
    "size_mb": Metric("MB", stage="target"),
    "energy_mj": Metric("mJ", stage="target"),
}
"""Metrics that a config can name with every task. The task adds its own."""

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
