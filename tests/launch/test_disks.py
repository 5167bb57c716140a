"""What disks of machines cost, by hand."""

from typing import Any

import pytest

from evonas.launch.costs.disks import usd_per_hour
from evonas.prices import list_prices


def _volume(**words: Any) -> dict[str, Any]:
    return {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": words}, {"DeviceName": "/dev/sdb"}]}


def _disk(**words: Any) -> dict[str, Any]:
    return {"disks": [{"boot": True, "initializeParams": words}, {"source": "a disk that is there"}]}


GP3 = {"VolumeType": "gp3", "VolumeSize": 100}


@pytest.mark.parametrize(
    ("node", "month"),
    [
        ({}, {}),
        (_volume(VolumeSize=100), None),  # gp2, as EC2 takes it, whose price is not in the list
        (_volume(**GP3), {"gp3.gb": 100}),
        (_volume(**GP3, Iops=3000, Throughput=125), {"gp3.gb": 100}),
        (_volume(**GP3, Iops=4000, Throughput=225), {"gp3.gb": 100, "gp3.iops": 1000, "gp3.mbps": 100}),
        (_disk(diskSizeGb=50), None),  # pd-standard, likewise
        (_disk(diskSizeGb="50", diskType="zones/us-central1-a/diskTypes/pd-balanced"), {"pd-balanced.gb": 50}),
        (_volume(VolumeType="io9", VolumeSize=100), None),
        (_volume(VolumeType="gp3"), None),  # the machine's image has the size
        (_disk(diskType="pd-balanced"), None),
    ],
)
def test_disks_cost_what_the_list_says_a_month(node: dict[str, Any], month: dict[str, float] | None) -> None:
    prices = list_prices().disks_usd_per_month
    expected = None if month is None else sum(prices[name] * count for name, count in month.items()) / 730
    assert usd_per_hour(node) == (expected if expected is None else pytest.approx(expected))
