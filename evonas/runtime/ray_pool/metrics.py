"""The state of a search as metrics of the Ray cluster: on its dashboard's metrics page and for its Prometheus."""

from collections.abc import Mapping

from ray.util.metrics import Gauge

MEANINGS = {
    "evaluated": "Candidates that are evaluated",
    "failed": "Candidates that failed",
    "front": "Networks on the front",
    "hypervolume": "Hypervolume in multiples of what the first generation reached",
    "busy": "Workers that have a job",
    "workers": "Workers",
    "queue": "Jobs that wait for a worker",
}


class ClusterMetrics:
    """The gauges `ray_evonas_evaluated` and so on, with the tag `run`: several searches may share a cluster."""

    def __init__(self) -> None:
        self._meter = {name: Gauge(f"evonas_{name}", text, ("run",)) for name, text in MEANINGS.items()}

    def set(self, run: str, values: Mapping[str, float]) -> None:
        """Sets the gauges of a search: name, as in `MEANINGS`, -> number."""
        for name, value in values.items():
            self._meter[name].set(value, {"run": run})
