"""Measuring servers on nodes of the Ray cluster, for targets with a `resource`, while networks are finished."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from evonas.components import remotes
from evonas.config import Config
from evonas.errors import Halted, UserError
from evonas.records import Endpoint

START_S = 300.0
"""Longest wait for the servers; a resource may be in use by a search."""
HIRE_S = 1800.0
"""Longest wait for them where a machine has to be started first."""


@contextmanager
def device_servers(
    config: Config, tell: Callable[[str], None], hires: bool = False
) -> Iterator[Mapping[str, Endpoint]]:
    """Start a server for each resource that targets name, where this process is on a Ray, and end them afterwards.

    Args:
        config: of the run.
        tell: hears in one line why a target cannot be reached.
        hires: nodes with a resource that none has are asked for and waited for, as on a cluster with an autoscaler.

    Yields:
        Target -> where it is measured, of those that can be reached.
    """
    wanted = remotes(config, config.targets)
    if not wanted.resources or not _on_ray():
        yield {}
        return
    from evonas.runtime.ray_pool.cluster import look  # Ray, for who needs it
    from evonas.runtime.ray_pool.device_servers import DeviceServers

    servers = DeviceServers(wanted, hires)
    found: Mapping[str, Endpoint] = {}
    try:
        try:
            servers.open(look()[0])
            end = time.monotonic() + (HIRE_S if servers.missing else START_S)
            while not wanted.resources.keys() <= (found := servers.endpoints()).keys() and time.monotonic() < end:
                time.sleep(0.2)
                servers.health_check(look()[0])
            for line in servers.missing:
                tell(line)
        except (Halted, UserError) as reason:
            tell(str(reason))
        yield found
    finally:
        servers.close()


def _on_ray() -> bool:
    import ray

    return bool(ray.is_initialized())
