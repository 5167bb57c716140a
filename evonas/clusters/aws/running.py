"""The machines of a cluster that run now, for people."""

from collections.abc import Callable, Mapping
from typing import Any

from evonas.clusters.aws.ending import instances
from evonas.clusters.running import GROUP, Running


def running(client: Callable[[str, str], Any], region: str, cluster: str = "evonas") -> list[Running]:
    """The machines of the cluster in the region that are not terminated yet."""
    found = instances(client("ec2", region), cluster)
    return [Running(_type(m), m["LaunchTime"], _group(m)) for m in found]


def _type(machine: Mapping[str, Any]) -> str:
    return str(machine["InstanceType"]) + (".spot" if machine.get("InstanceLifecycle") == "spot" else "")


def _group(machine: Mapping[str, Any]) -> str:
    return next((str(tag["Value"]) for tag in machine.get("Tags", ()) if tag["Key"] == GROUP), "")
