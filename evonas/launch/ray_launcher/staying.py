"""What of a launch file's machines stays behind their end and is paid for until `down`: stopped ones, and disks."""

from collections.abc import Iterator, Mapping
from typing import Any

_ROOT = ("/dev/sda1", "/dev/xvda")
"""Of a machine image, which says itself that this disk goes, where the file does not say it."""
_TAG = "ray-cluster-name"
_UNFOUND = f", and `down` does not find it without the tag {_TAG}"


def staying(launch: Mapping[str, Any]) -> list[str]:
    """A line for each way in which something stays, with the groups of machines that it is of.

    Args:
        launch: the file.
    """
    found = dict[str, list[str]]()
    for group, kind in launch["available_node_types"].items():
        for why in _whys(kind["node_config"], launch["provider"]):
            found.setdefault(why, []).append(group)
    return [
        f"{why} ({', '.join(groups)}): it is paid for until it is deleted, as by `down`"
        for why, groups in found.items()
    ]


def _whys(node: Mapping[str, Any], provider: Mapping[str, Any]) -> Iterator[str]:
    on_aws = "InstanceType" in node
    if provider.get("cache_stopped_nodes", on_aws):  # as Ray has it where the file does not
        yield "the disk of a machine that Ray ends stays, because it is stopped (cache_stopped_nodes: false ends it)"
    if on_aws and (how := node.get("InstanceInitiatedShutdownBehavior", "stop")) != "terminate":
        yield f"the disk of a machine that ends by itself stays (InstanceInitiatedShutdownBehavior: {how})"
    rules = node.get("scheduling") or {}
    ends = rules.get("provisioningModel") == "SPOT" or "maxRunDuration" in rules
    if ends and (how := rules.get("instanceTerminationAction", "STOP")) != "DELETE":
        yield f"the disk of a machine that Google ends stays (instanceTerminationAction: {how})"
    if any(map(_outlives, node.get("BlockDeviceMappings") or ())):
        yield f"a disk stays behind its machine (DeleteOnTermination){_UNFOUND * (not _tags_volumes(node))}"
    if left := [disk for disk in node.get("disks") or () if not disk.get("autoDelete")]:
        yield f"a disk stays behind its machine (autoDelete){_UNFOUND * any(not _has_label(disk) for disk in left)}"


def _outlives(device: Mapping[str, Any]) -> bool:
    return "Ebs" in device and not device["Ebs"].get("DeleteOnTermination", device.get("DeviceName") in _ROOT)


def _tags_volumes(node: Mapping[str, Any]) -> bool:
    of_volumes = (found for found in node.get("TagSpecifications") or () if found.get("ResourceType") == "volume")
    return any(tag.get("Key") == _TAG for found in of_volumes for tag in found.get("Tags") or ())


def _has_label(disk: Mapping[str, Any]) -> bool:
    return _TAG in ((disk.get("initializeParams") or {}).get("labels") or {})
