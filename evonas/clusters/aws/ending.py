"""What is left of a cluster in an account, in every region, and its end."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from evonas.clusters.aws.asking import IAM, OTHERS, Silent, everywhere, told
from evonas.clusters.aws.keys import own_key_pairs, private_half
from evonas.clusters.aws.network import find_group
from evonas.clusters.aws.role import has_role, remove_profile
from evonas.clusters.steps import each, failure
from evonas.errors import UserError

ROLE = "role evonas-head"
TRIES = 3
"""Of ending machines, while those that the head has just asked for still appear."""
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


def left(
    client: Callable[[str, str], Any],
    region: str,
    cluster: str = "evonas",
    regions: Iterable[str] | None = None,
    doors: Iterable[str] | None = None,
    silent: Silent | None = None,
) -> list[str]:
    """What there is of the cluster, a line each: machines and disks of all regions, and group, keys and role.

    Args:
        client: makes a client of boto3 from a service and a region, in several threads.
        region: of the launch file, where group and keys are.
        cluster: its name in the launch file.
        regions: where to look for machines and disks; None: wherever the account may have some.
        doors: where to look for group and keys; None: in that region.
        silent: gets what does not answer, which then keeps no other from being looked at.

    Raises:
        UserError: Something does not answer, without `silent`.
    """
    places = list(regions or regions_of(client("ec2", region)))
    lines = [*paid_in(client, places, cluster, silent), *doors_in(client, doors or [region], silent)]
    return lines + told(IAM, lambda: [ROLE] if has_role(client("iam", region)) else [], silent)


def regions_of(ec2: Any) -> list[str]:
    """The regions that the account may have machines in."""
    return sorted(entry["RegionName"] for entry in ec2.describe_regions()["Regions"])


def machines_anywhere(
    client: Callable[[str, str], Any], region: str, cluster: str = "evonas", silent: Silent | None = None
) -> list[str]:
    """The machines of clusters of this name in all regions, a line each, whoever has started them."""
    places = told(OTHERS, lambda: regions_of(client("ec2", region)), silent) or [region]
    return everywhere(client, places, [partial(_machines, cluster=cluster)], silent)


def paid_in(
    client: Callable[[str, str], Any], places: Iterable[str], cluster: str = "evonas", silent: Silent | None = None
) -> list[str]:
    """Machines and disks of clusters of this name in some regions, a line each."""
    return everywhere(client, places, [partial(_machines, cluster=cluster), partial(_disks, cluster=cluster)], silent)


def doors_in(client: Callable[[str, str], Any], places: Iterable[str], silent: Silent | None = None) -> list[str]:
    """Security groups and own key pairs of some regions, a line each."""
    return everywhere(client, places, [_groups, _keys], silent)


def regions_with_keys(
    client: Callable[[str, str], Any], places: Iterable[str], silent: Silent | None = None
) -> list[str]:
    """Those of these regions in which a key pair is whose private half is on this machine."""
    return everywhere(client, places, [lambda ec2, place: [place] if own_key_pairs(ec2) else []], silent)


def _machines(ec2: Any, place: str, cluster: str) -> list[str]:
    return [f"machine {name} in {place}" for name in machines(ec2, cluster)]


def _disks(ec2: Any, place: str, cluster: str) -> list[str]:
    return [f"disk {name} in {place}" for name in disks(ec2, cluster)]


def _groups(ec2: Any, place: str) -> list[str]:
    group = find_group(ec2)
    return [f"security group {group} in {place}"] if group else []


def _keys(ec2: Any, place: str) -> list[str]:
    return [f"key pair {name} in {place}" for name in own_key_pairs(ec2)]


def take_down(client: Callable[[str, str], Any], region: str, cluster: str = "evonas") -> None:
    """Ends what `left` names in the region, and the role where nobody needs it.

    Buckets and images are left alone. What is not there is no error, so it can be done again.
    """
    end_region(client, region, cluster)
    end_role(client, region, cluster)


def end_region(client: Callable[[str, str], Any], region: str, cluster: str = "evonas") -> None:
    """The same without the role: what costs first, and then what a machine that cannot be ended still needs.

    Raises:
        UserError: Something is not ended, which keeps nothing else; why.
    """
    ec2 = client("ec2", region)
    each(*(partial(end, ec2, cluster) for end in (_end_machines, _end_disks, _end_doors)))


def _end_machines(ec2: Any, cluster: str) -> None:
    """Ends them and waits for it.

    Raises:
        UserError: EC2 still refuses some at the last try; why.
    """
    refused = dict[str, str]()
    for _ in range(TRIES):
        running = machines(ec2, cluster)
        refused = _refused(ec2, running)
        if going := [name for name in running if name not in refused]:
            ec2.get_waiter("instance_terminated").wait(InstanceIds=going)
    if refused:
        raise UserError("; ".join(dict.fromkeys(refused.values())))


def _refused(ec2: Any, names: list[str]) -> dict[str, str]:
    """Asks EC2 to end machines, one by one where it refuses them together; those that it does not end, and why."""
    why = failure(partial(ec2.terminate_instances, InstanceIds=names)) if names else ""
    if why and len(names) > 1:  # one that is protected keeps all others of its zone
        return {name: why for each_one in names for name, why in _refused(ec2, [each_one]).items()}
    return {name: why for name in names if why}


def _end_disks(ec2: Any, cluster: str) -> None:
    each(*(partial(ec2.delete_volume, VolumeId=disk) for disk in disks(ec2, cluster)))


def _end_doors(ec2: Any, cluster: str) -> None:
    """Deletes group and keys where no machine is there any more, by whose key it is known as this user's."""
    if not machines(ec2, cluster):
        each(partial(_end_group, ec2), partial(_end_keys, ec2))


def _end_group(ec2: Any) -> None:
    if group := find_group(ec2):
        ec2.delete_security_group(GroupId=group)


def _end_keys(ec2: Any) -> None:
    for name in own_key_pairs(ec2):
        ec2.delete_key_pair(KeyName=name)
        private_half(name).unlink()


def end_role(client: Callable[[str, str], Any], region: str, cluster: str = "evonas") -> None:
    """Removes the role, unless there are machines in any region: they could not end their workers without."""
    iam = client("iam", region)
    if has_role(iam) and not machines_anywhere(client, region, cluster):
        remove_profile(iam)
