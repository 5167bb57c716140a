"""The numbers that are known of a candidate: their names, units and directions."""

from dataclasses import dataclass


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
    "latency_p90_ms": Metric("ms", per_target=True),
    "examples_per_s": Metric("examples/s", "maximize", per_target=True),
    "memory_mb": Metric("MB", per_target=True),
    "size_mb": Metric("MB", per_target=True),
    "energy_mj": Metric("mJ", per_target=True),
}
"""Metrics of every task that a config can name. The task adds its own."""


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
"""Columns of a target that are there where an objective or limit names them."""
