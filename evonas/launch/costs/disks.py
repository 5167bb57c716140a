"""What the disks of a machine in a launch file cost an hour, at list prices."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.prices import list_prices

HOURS = 730
"""Of a month, as AWS and Google count."""
INCLUDED = {"iops": 3000, "mbps": 125}
"""Of a gp3 volume, which its GB pay for."""


def usd_per_hour(node: Mapping[str, Any]) -> float | None:
    """What they cost; 0 where the file names none, None where the price of one is not known.

    Args:
        node: of a machine, as the cloud is told.
    """
    prices = list_prices().disks_usd_per_month
    try:
        return sum(prices[name] * count / HOURS for name, count in _parts(node))
    except (KeyError, TypeError, ValueError):  # also one whose size the file leaves to the machine's image
        return None


def _parts(node: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What is paid for, by its name in the table of prices, and how much of it."""
    for volume in (entry["Ebs"] for entry in node.get("BlockDeviceMappings", ()) if "Ebs" in entry):
        kind = volume.get("VolumeType", "gp2")
        yield f"{kind}.gb", volume["VolumeSize"]
        for what, key in (("iops", "Iops"), ("mbps", "Throughput")):
            if (more := volume.get(key, 0) - INCLUDED[what]) > 0:
                yield f"{kind}.{what}", more
    for disk in (entry["initializeParams"] for entry in node.get("disks", ()) if "initializeParams" in entry):
        kind = str(disk.get("diskType", "pd-standard")).rpartition("/")[2]
        yield f"{kind}.gb", float(disk["diskSizeGb"])
