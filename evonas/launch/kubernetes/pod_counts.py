"""How many pods a RayCluster has, and for how long, as KubeRay counts them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.launch.launch_files.numbers import number

_IDLE_S = 60
"""Where a file does not say them (KubeRay)."""


@dataclass(frozen=True, slots=True)
class Count:
    """Of the pods of a group.

    Args:
        least: from the start.
        most: that there can be.
        stays: of those from the start, how many stay when they have nothing to do.
    """

    least: int
    most: int
    stays: int


def counts(spec: Mapping[str, Any]) -> dict[str, Count]:
    """The groups of workers. Without the autoscaler there are as many as there are from the start.

    Args:
        spec: of the RayCluster.

    Raises:
        ValueError: A number is none of pods, or no worker can ever come.
    """
    if spec.get("suspend"):
        raise ValueError("it is suspended (suspend: true), and has no pods")
    scales = bool(spec.get("enableInTreeAutoscaling"))
    found = {group["groupName"]: _count(group, scales) for group in spec["workerGroupSpecs"]}
    if not any(count.most for count in found.values()):
        why = "every group is suspended or has maxReplicas: 0"
        why = why if scales else "enableInTreeAutoscaling is not true and no group has replicas"
        raise ValueError(f"{why}: no worker would ever come")
    return found


def from_the_start(spec: Mapping[str, Any]) -> list[str]:
    """A line for each group that has more pods at first than stay."""
    return [
        f"{count.least} pods of {name} come at once (replicas), and {count.least - count.stays} of them go after "
        f"{idle_h(spec) * 60:g} idle minutes"
        for name, count in counts(spec).items()
        if count.least > count.stays
    ]


def suspended(spec: Mapping[str, Any]) -> list[str]:
    """A line for each group of which no pod comes, as its user has set it."""
    groups = [group["groupName"] for group in spec["workerGroupSpecs"] if group.get("suspend")]
    return [f"no pod of {name} comes: it is suspended (suspend: true)" for name in groups]


def idle_h(spec: Mapping[str, Any]) -> float:
    """How many hours a pod that does nothing stays."""
    options = spec.get("autoscalerOptions") or {}
    return (
        max(
            number(seconds, "idleTimeoutSeconds")
            for seconds in _idle_s(spec, options.get("idleTimeoutSeconds", _IDLE_S))
        )
        / 3600
    )


def _idle_s(spec: Mapping[str, Any], usual: float) -> Iterator[float]:
    yield usual
    yield from (group["idleTimeoutSeconds"] for group in spec["workerGroupSpecs"] if "idleTimeoutSeconds" in group)


def _count(group: Mapping[str, Any], scales: bool) -> Count:
    if "maxReplicas" not in group:
        raise ValueError(f"{group['groupName']} has no maxReplicas, without which any number of pods could come")
    least, wished, most = (_whole(group, key) for key in ("minReplicas", "replicas", "maxReplicas"))
    if least > most:
        raise ValueError(f"minReplicas of {group['groupName']} is more than its maxReplicas")
    if group.get("suspend"):
        return Count(0, 0, 0)
    hosts = _whole(group, "numOfHosts", 1)
    first = min(max(wished, least), most) * hosts
    return Count(first, most * hosts if scales else first, least * hosts if scales else first)


def _whole(group: Mapping[str, Any], key: str, usual: int = 0) -> int:
    found = group.get(key, usual)
    if type(found) is not int or found < 0:
        raise ValueError(f"{key} of {group['groupName']} is {found!r}, and is a whole number from 0")
    return found
