"""Whether a worker's share of host memory could hold one, before any is started."""

import math
from collections.abc import Sequence

from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.runtime.ray_pool.nodes import ClusterNode, fitting, part_of
from evonas.runtime.ray_pool.worker import MEMORY_SHARE

LEAST_MB = 16
"""Less than any worker holds: Python and evonas, without torch and data. A worker that is ready is weighed where it is
(`runtime/sandbox/fork_server.py`); of shares like these there would be thousands."""


def check_memory(config: RuntimeConfig, nodes: Sequence[ClusterNode]) -> None:
    """Makes sure that there is a node on which a worker gets the memory to be one.

    Args:
        config: The section `runtime`.
        nodes: The living nodes; one that does not say its memory may have enough.

    Raises:
        UserError: There are nodes with CPUs and GPUs for a worker, and none of them.
    """
    least = f"a worker takes more than {LEAST_MB} MB of host memory before its first candidate"
    if config.memory_mb_per_worker != "auto":
        if config.memory_mb_per_worker < LEAST_MB:
            raise UserError(f"runtime.memory_mb_per_worker: {config.memory_mb_per_worker}: {least}; give more, or auto")
        return
    mb = {node.host: share for node in nodes if (share := _share_mb(config, node)) is not None}
    if not mb or max(mb.values()) >= LEAST_MB:
        return
    most = max(mb, key=lambda host: mb[host])
    raise UserError(
        f"runtime: {config.cpus_per_worker:g} CPUs and {config.gpus_at_first:g} GPUs for a worker are a share of "
        f"{mb[most]:.2g} MB of the memory of {most}, and {least}: raise runtime.cpus_per_worker or gpus_per_worker, or "
        "give runtime.memory_mb_per_worker"
    )


def _share_mb(config: RuntimeConfig, node: ClusterNode) -> float | None:
    """Of a worker there; None where the node has not the CPUs and GPUs for one."""
    needs = {"CPU": config.cpus_per_worker, "GPU": config.gpus_at_first}
    if not fitting(node, needs):
        return None
    return MEMORY_SHARE * part_of(node, needs) * node.resources.get("memory", math.inf) / 1e6
