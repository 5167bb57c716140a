"""How many workers a pool asks for, and what each of them needs. Knows nothing of Ray or of single workers."""

import math
import time
from collections.abc import Mapping, Sequence

from evonas.config import RuntimeConfig
from evonas.records import Evaluation
from evonas.runtime.ray_pool.gpu_sharing import GpuSharing, share
from evonas.runtime.ray_pool.nodes import SHUNNED_S, Nodes
from evonas.text import counted


class Demand:
    """What is asked of the cluster.

    Args:
        config: The section `runtime`.

    Attributes:
        gpus: The share of a GPU of each worker that is started from now on, 0 for none.
        nodes: The nodes of the cluster, which know what a worker needs.
    """

    def __init__(self, config: RuntimeConfig) -> None:
        self._refusals: list[float] = []  # until when each holds
        self._config = config
        most = config.max_workers or math.inf if config.workers == "auto" else config.workers
        self._sharing = GpuSharing(most, self._room) if config.gpus_per_worker == "auto" else None
        self.gpus = config.gpus_at_first
        self.nodes = Nodes(self._needs, config.own_memory_mb)

    @property
    def judging(self) -> bool:
        """Whether candidates are to tell how much slower they train beside others."""
        return self._sharing is not None and self._sharing.judging

    @property
    def remark(self) -> str:
        """What became of a share that does not divide a GPU; empty where it does."""
        return rounded(self._config)

    @property
    def bound(self) -> str:
        """That memory allows fewer workers than CPUs and GPUs do, which are as many as there may be; else empty."""
        most = min(self._config.max_workers or math.inf, self.nodes.unbounded)
        if self._config.workers != "auto" or self.capacity >= most:
            return ""
        many = f"{most:,} workers of {self._config.own_memory_mb:,} MB do not fit into memory together"
        remedy = "for more of them give less memory, or runtime.workers"
        return f"runtime.memory_mb_per_worker: {many}: {counted(self.capacity, 'worker')}; {remedy}"

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of how GPUs are shared, a line each."""
        return [self._sharing.note] if self._sharing and self._sharing.note else []

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
    def refused(self) -> int:
        """How many workers less: so many could not start of late on nodes where others work."""
        now = time.monotonic()
        self._refusals = [until for until in self._refusals if until > now]
        return len(self._refusals)

    def refuse(self) -> None:
        """Notes that a worker could not start on a node where others work; it is done without for a while."""
        self._refusals.append(time.monotonic() + SHUNNED_S)

    @property
    def workers(self) -> int:
        """How many workers there should be; never less than one."""
        return max(1, self.capacity - self.refused)

    def learn(self, evaluation: Evaluation, gpus: float, able: int, first: bool = False) -> bool:
        """Learns from an evaluation whether more workers on a GPU get more done.

        Args:
            evaluation: What a worker has completed.
            gpus: The worker's share of a GPU.
            able: How many workers there are now that may get jobs.
            first: Whether it is the first that the worker has completed.

        Returns:
            Whether workers need another share from now on.
        """
        if self._sharing is None or gpus != self.gpus:
            return False
        self._sharing.heard(evaluation, self.nodes.gpus, able, first)
        if self._sharing.share == self.gpus:
            return False
        self.gpus = self._sharing.share
        self.nodes.resize(self._needs)
        return True

    @property
    def _needs(self) -> Mapping[str, float]:
        return self._needs_of(self.gpus)

    def _needs_of(self, gpus: float) -> Mapping[str, float]:
        return {"CPU": self._config.cpus_per_worker, "GPU": gpus}

    def _room(self, level: int) -> int:
        return self.nodes.room(self._needs_of(share(level)))


def rounded(config: RuntimeConfig) -> str:
    """What becomes of a share that does not divide a GPU; empty where it does.

    Args:
        config: The section `runtime`.
    """
    asked, share = config.gpus_per_worker, config.gpus_at_first
    if asked in ("auto", share):
        return ""
    return (
        f"runtime.gpus_per_worker: {asked:g} does not divide a GPU, of which a worker is on one: "
        f"{counted(round(1 / share), 'worker')} a GPU, each has {share:g} of it"
    )
