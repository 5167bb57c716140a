"""What is left of a cluster in an account, in every region, and its end."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evonas.clusters.aws.network import find_group
from evonas.clusters.aws.role import has_role, remove_profile

KEYS = "evonas"
"""Ray names its key pairs so, as the launch file tells it, and `evonas_key-1` where somebody else has that."""
ASKED_AT_ONCE = 8
"""Regions, each by a client and a thread of its own."""
_ALIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]


def machines(ec2: Any, cluster: str = "evonas") -> list[str]:
    """The ids of the machines of the cluster in the client's region that are not terminated yet."""
    return [machine["InstanceId"] for machine in instances(ec2, cluster)]


def instances(ec2: Any, cluster: str = "evonas") -> list[Any]:
    """The same machines as EC2 describes them."""
    filters = [
        {"Name": "tag:ray-cluster-name", "Values": [cluster]},
        {"Name": "instance-state-name", "Values": _ALIVE},
    ]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
    return [m for page in pages for group in page["Reservations"] for m in group["Instances"]]


def head_runs(ec2: Any, cluster: str = "evonas") -> bool:
    """Whether the cluster's head runs in the client's region, or is about to."""
    head = {"Key": "ray-node-type", "Value": "head"}
    found = (machine for machine in instances(ec2, cluster) if head in machine["Tags"])
    return any(machine["State"]["Name"] in ("pending", "running") for machine in found)


def disks(ec2: Any, cluster: str = "evonas") -> list[str]:
    """The ids of volumes of the cluster, by the launch file's tag, that belong to no machine any more."""
    filters = [{"Name": "tag:ray-cluster-name", "Values": [cluster]}, {"Name": "status", "Values": ["available"]}]
    return [
        v["VolumeId"] for p in ec2.get_paginator("describe_volumes").paginate(Filters=filters) for v in p["Volumes"]
    ]


def own_key_pairs(ec2: Any, folder: Path | None = None) -> list[str]:
    """The key pairs of clusters of this name whose private half is on this machine; others are somebody else's."""
    names = [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]]
    mine = [name for name in names if name == KEYS or name.startswith(f"{KEYS}_key-")]
    return [name for name in mine if _private_half(name, folder).exists()]


def left(
    client: Callable[[str, str], Any], region: str, cluster: str = "evonas", regions: Iterable[str] | None = None
) -> list[str]:
    """What there is of the cluster, a line each: machines and disks of all regions, and group, keys and role.

    Args:
        client: makes a client of boto3 from a service and a region, in several threads.
        region: of the launch file, where group and keys are.
        cluster: its name in the launch file.
        regions: where to look for machines and disks; None: wherever the account may have some.
    """
    home = client("ec2", region)
    places = list(regions or sorted(entry["RegionName"] for entry in home.describe_regions()["Regions"]))
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:  # an answer takes half a second, from some regions longer
        there = pool.map(lambda place: _paid(client("ec2", place), place, cluster), places)
        lines = [line for some in there for line in some]
    group = find_group(home)
    lines += [f"security group {group} in {region}"] if group else []
    lines += [f"key pair {name} in {region}" for name in own_key_pairs(home)]
    return lines + (["role evonas-head"] if has_role(client("iam", region)) else [])


def _paid(ec2: Any, place: str, cluster: str) -> list[str]:
    """Machines and disks of a region, a line each."""
    found = [f"machine {name} in {place}" for name in machines(ec2, cluster)]
    return [*found, *(f"disk {name} in {place}" for name in disks(ec2, cluster))]


def take_down(client: Callable[[str, str], Any], region: str, cluster: str = "evonas") -> None:
    """Ends what `left` names in the region: machines first, because a group that is in use cannot be deleted.

    Buckets and images are left alone. What is not there is no error, so it can be done again.
    """
    ec2 = client("ec2", region)
    if running := machines(ec2, cluster):
        ec2.terminate_instances(InstanceIds=running)
        ec2.get_waiter("instance_terminated").wait(InstanceIds=running)
    for disk in disks(ec2, cluster):
        ec2.delete_volume(VolumeId=disk)
    if group := find_group(ec2):
        ec2.delete_security_group(GroupId=group)
    for name in own_key_pairs(ec2):
        ec2.delete_key_pair(KeyName=name)
        _private_half(name).unlink()
    remove_profile(client("iam", region))


def _private_half(name: str, folder: Path | None = None) -> Path:
    return (folder or Path.home() / ".ssh") / f"{name}.pem"
