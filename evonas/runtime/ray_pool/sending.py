"""What all workers need, on its way through Ray's object store, whose size decides whether it takes the disk."""

import logging
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError

from evonas.errors import UserError
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.sandbox.packing import Payload

log = logging.getLogger(__name__)
STORE = "object_store_memory"
"""Ray's name for what the store of a node holds in memory, bytes."""


def send(payload: Payload, nodes: Sequence[ClusterNode]) -> Any:
    """Puts the packed work into Ray's object store, from where each node gets it once.

    Args:
        payload: The packed work, with the data in it.
        nodes: Those of the cluster that are there.

    Returns:
        A reference to it.

    Raises:
        UserError: Neither the store nor the disk behind it of this machine holds it.
    """
    if remark := too_large(payload.size, nodes):
        log.warning(remark)
    try:
        return ray.put(payload)
    except (ObjectStoreFullError, OutOfDiskError) as error:
        raise UserError(
            f"runtime: {_mb(payload.size)} of data get neither into Ray's object store nor onto its disk: "
            f"{str(error).strip().splitlines()[0]}; "
            f"ray start --object-store-memory=BYTES, or RAY_TMPDIR on a larger disk"
        ) from None


def too_large(size: int, nodes: Sequence[ClusterNode]) -> str:
    """Says that data are larger than the smallest object store of the cluster; empty where they are not.

    Args:
        size: Of the data, bytes.
        nodes: Those of the cluster that are there.
    """
    stores = [(int(node.resources[STORE]), node.host) for node in nodes if node.resources.get(STORE)]
    store, host = min(stores, default=(size, ""))
    if size <= store:
        return ""
    return (
        f"the data that each node gets are {_mb(size)}, and Ray's object store on {host} holds {_mb(store)}: "
        f"the rest takes its disk, and time at the start (ray start --object-store-memory=BYTES makes it larger)"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
