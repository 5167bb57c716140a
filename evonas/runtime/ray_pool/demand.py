"""How many workers a pool asks for, and what each of them needs. Knows nothing of Ray or of single workers."""

import math
from collections.abc import Mapping

from evonas.config import RuntimeConfig
from evonas.records import Evaluation
from evonas.runtime.ray_pool.gpu_sharing import GpuSharing
from evonas.runtime.ray_pool.nodes import Nodes


class Demand:
    """What is asked of the cluster.

    Args:
        config: The section `runtime`.

    Attributes:
        gpus: The share of a GPU of each worker that is started from now on, 0 for none.
        nodes: The nodes of the cluster, which know what a worker needs.
        refused: How many workers less: so many could not start on nodes where others work.
    """

    def __init__(self, config: RuntimeConfig) -> None:
        self.refused = 0
        self._config = config
        most = config.max_workers or math.inf if config.workers == "auto" else config.workers
        self._sharing = GpuSharing(most) if config.gpus_per_worker == "auto" else None
        self.gpus = config.gpus_at_first
        self.nodes = Nodes(self._needs)

    @property
    def text(self) -> str:
        """What one worker needs, in words."""
        return f"{self._config.cpus_per_worker:g} CPUs and {self.gpus:g} GPUs"

    @property
    def capacity(self) -> int:
        """How many workers the cluster can hold, or as many as are asked for; 0 where it can hold none."""
        config, most = self._config, self._config.max_workers
        if config.workers != "auto":
            return config.workers
        if most and config.address != "local":  # an autoscaler sees those that no node can hold yet
            return most
        return min(most or self.nodes.capacity, self.nodes.capacity)

    @property
    def workers(self) -> int:
        """How many workers there should be; never less than one."""
        return max(1, self.capacity - self.refused)

    def learn(self, evaluation: Evaluation, gpus: float, able: int) -> bool:
        """Learns from an evaluation whether more workers on a GPU get more done.

        Args:
            evaluation: What a worker has completed.
            gpus: The worker's share of a GPU.
            able: How many workers there are now that may get jobs.

        Returns:
            Whether workers need another share from now on.
        """
        if self._sharing is None or gpus != self.gpus:
            return False
        self._sharing.heard(evaluation, self.nodes.gpus, able)
        if self._sharing.share == self.gpus:
            return False
        self.gpus = self._sharing.share
        self.nodes.resize(self._needs)
        return True

    @property
    def _needs(self) -> Mapping[str, float]:
        return {"CPU": self._config.cpus_per_worker, "GPU": self.gpus}
