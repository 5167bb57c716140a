"""What a launch file that was changed by hand has in the place of what an option says."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evonas.launch.launch_files.images import of_launch_file
from evonas.launch.order import Order


def of_ray(launch: Mapping[str, Any]) -> dict[str, list[str]]:
    """Option -> what a file of Ray's launcher has for it."""
    nodes = [kind["node_config"] for kind in launch["available_node_types"].values()]
    disks = [disk.get("initializeParams") or {} for node in nodes for disk in node.get("disks") or ()]
    sources = [str(disk["sourceImage"]) for disk in disks if "sourceImage" in disk]
    return {
        "image": of_launch_file(launch),
        "ami": [str(node["ImageId"]) for node in nodes if "ImageId" in node],
        "family": [source.rpartition("/")[2] for source in sources],
    }


def instead(order: Order, copy: Path, has: Mapping[str, Iterable[str]]) -> list[str]:
    """A line for each option whose place in a launch file has something else.

    Args:
        order: with the options.
        copy: the file, for people.
        has: option -> what the file has for it.
    """
    lines = []
    for name, found in has.items():
        value, others = order.value(name), [other for other in dict.fromkeys(found) if other != order.value(name)]
        if value and others:
            beside = "beside" if value in found else "and not"
            lines.append(
                f"{copy} was changed by hand: its {name} {', '.join(others)} is used, {beside} {value} (--{name}); "
                f"--replace writes it anew"
            )
    return lines
