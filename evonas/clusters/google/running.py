"""The machines of a cluster that run now, for people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from evonas.clusters.google.ending import NAME, instances
from evonas.clusters.running import GROUP, Running

ON = ("PROVISIONING", "STAGING", "RUNNING", "REPAIRING")


def running(compute: Any, project: str, cluster: str = NAME) -> list[Running]:
    """The machines of the cluster, in all zones, that are not stopped."""
    found = (machine for machine, _ in instances(compute, project, cluster))
    return [
        Running(_type(m), _since(m), m.get("labels", {}).get(GROUP, ""))
        for m in found
        if m.get("status", "RUNNING") in ON
    ]


def stopped(compute: Any, project: str, cluster: str = NAME) -> list[str]:
    """The names of those that are stopped or about to be, as by the watchdog, which can delete none."""
    found = (machine for machine, _ in instances(compute, project, cluster))
    return [str(m["name"]) for m in found if m.get("status", "RUNNING") not in ON]


def _type(machine: Mapping[str, Any]) -> str:
    """As the table of prices names it: the GPU is said of those machines that are sold without one."""
    name = str(machine["machineType"]).rpartition("/")[2]
    gpus = "".join(f".{gpu['acceleratorType'].rpartition('/')[2]}" for gpu in machine.get("guestAccelerators", ()))
    spot = machine.get("scheduling", {}).get("provisioningModel") == "SPOT"
    return name + (gpus if name.startswith("n1-") else "") + (".spot" if spot else "")


def _since(machine: Mapping[str, Any]) -> datetime | None:
    text = machine.get("lastStartTimestamp") or machine.get("creationTimestamp")
    return datetime.fromisoformat(text) if text else None
