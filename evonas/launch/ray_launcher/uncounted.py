"""What a launch file that was changed by hand has its machines cost beside their price, or keep from their end."""

from collections.abc import Iterator, Mapping
from typing import Any

_TAG = ("project", "evonas")
"""Which the head's role asks of all that it starts (`cluster/aws-policy.json`)."""


def uncounted(launch: Mapping[str, Any]) -> list[str]:
    """A line for each such thing, with the groups of machines that it is of.

    Args:
        launch: the file.
    """
    found = dict[str, list[str]]()
    for group, kind in launch["available_node_types"].items():
        node = kind["node_config"]
        for why in (*_endless(node), *_dearer(node), *_unstarted(node, group != launch["head_node_type"])):
            found.setdefault(why, []).append(group)
    return [f"{why} ({', '.join(groups)})" for why, groups in found.items()]


def _endless(node: Mapping[str, Any]) -> Iterator[str]:
    spot = (node.get("InstanceMarketOptions") or {}).get("SpotOptions") or {}
    if spot.get("SpotInstanceType") == "persistent":
        yield "EC2 starts it anew after each end, that by `down` too, until you cancel its spot request (persistent)"
    for key in ("DisableApiTermination", "deletionProtection"):
        if node.get(key):
            yield f"neither Ray nor `down` can end it, and it is paid for until you switch that off ({key})"


def _dearer(node: Mapping[str, Any]) -> Iterator[str]:
    if (tenancy := (node.get("Placement") or {}).get("Tenancy", "default")) != "default":
        yield f"hardware of its own costs more, which is not counted (Tenancy: {tenancy})"
    if (node.get("scheduling") or {}).get("nodeAffinities"):
        yield "hardware of its own costs more, which is not counted (nodeAffinities)"
    if (node.get("Monitoring") or {}).get("Enabled"):
        yield "detailed monitoring is paid for, and not counted (Monitoring)"
    if (node.get("CreditSpecification") or {}).get("CpuCredits") == "unlimited":
        yield "CPU credits are paid for, and not counted (CpuCredits: unlimited)"


def _unstarted(node: Mapping[str, Any], is_worker: bool) -> Iterator[str]:
    """Workers of EC2 that the head may not start."""
    specs = (found for found in node.get("TagSpecifications") or () if found.get("ResourceType") == "instance")
    tags = {(tag.get("Key"), tag.get("Value")) for found in specs for tag in found.get("Tags") or ()}
    if is_worker and "InstanceType" in node and _TAG not in tags:
        yield "evonas-head may start none without the tag project: evonas, and it is waited for (TagSpecifications)"
