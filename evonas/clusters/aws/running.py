"""The machines of a cluster that run now, for people."""

from collections.abc import Callable
from typing import Any

from evonas.clusters.aws.ending import instances
from evonas.clusters.running import Running


def running(client: Callable[[str, str], Any], region: str, cluster: str = "evonas") -> list[Running]:
    """The machines of the cluster in the region that are not terminated yet."""
    found = instances(client("ec2", region), cluster)
    return [
        Running(m["InstanceType"] + (".spot" if m.get("InstanceLifecycle") == "spot" else ""), m["LaunchTime"])
        for m in found
    ]
