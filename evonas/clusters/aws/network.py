"""The security group: SSH from the user's address, everything between the machines, nothing else."""

from collections.abc import Collection
from typing import Any

from evonas.clusters.aws.clients import code

NAME = "evonas"
_SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


def security_group(ec2: Any, address: str, gone: Collection[str] | None = None) -> str:
    """The group `evonas`, found or made, with SSH let in from the address.

    Args:
        ec2: boto3's client.
        address: `203.0.113.7/32`.
        gone: as of `admit`.

    Returns:
        Its id.
    """
    group = find_group(ec2)
    if group is None:
        group = str(ec2.create_security_group(GroupName=NAME, Description="evonas")["GroupId"])
        ec2.create_tags(Resources=[group], Tags=[{"Key": "project", "Value": NAME}])
    _allow(ec2, group, {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]})
    admit(ec2, group, address, gone)
    return group


def find_group(ec2: Any) -> str | None:
    """The id of the group `evonas`, None if there is none."""
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [NAME]}])["SecurityGroups"]
    return str(found[0]["GroupId"]) if found else None


def admitted(ec2: Any, group: str) -> list[str]:
    """The addresses from which SSH gets in."""
    rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    return [entry["CidrIp"] for rule in rules if rule.get("FromPort") == 22 for entry in rule["IpRanges"]]


def admit(ec2: Any, group: str, address: str, gone: Collection[str] | None = None) -> list[str]:
    """Lets SSH in from the address.

    Args:
        ec2: boto3's client.
        group: its id.
        address: `203.0.113.7/32`.
        gone: the others that get in no more; None: all.

    Returns:
        The addresses that got in before and do not now.
    """
    ranges = [other for other in admitted(ec2, group) if other != address]
    out_of = ranges if gone is None else [other for other in ranges if other in gone]
    _allow(ec2, group, {**_SSH, "IpRanges": [{"CidrIp": address}]})
    if out_of:
        out = {**_SSH, "IpRanges": [{"CidrIp": other} for other in out_of]}
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[out])
    return out_of


def _allow(ec2: Any, group: str, rule: dict[str, Any]) -> None:
    try:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    except Exception as error:
        if code(error) != "InvalidPermission.Duplicate":
            raise
