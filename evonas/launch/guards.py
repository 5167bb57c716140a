"""What keeps strangers out of a cluster, in a launch file that its user has changed by hand."""

import json
import re
from collections.abc import Mapping
from typing import Any

from evonas.errors import UserError

NAME = "evonas"
"""Of the cluster, of the security group or the subnetwork, and in the policy of the head's role."""
UNKNOWN = "sg-..."
"""The group, where it is not asked for yet."""
_TOKEN = "RAY_AUTH_MODE=token"
_FILLED = re.compile(r"# Filled in: (\{.*\})")


def check_guards(launch: Mapping[str, Any], name: object) -> None:
    """Lets go on with a file of Ray's launcher whose cluster asks for the token and is found by its name.

    Raises:
        UserError: It does not, or has another name, or its machines come into a network that lets anybody in.
    """
    options = [str(option) for option in (launch.get("docker") or {}).get("run_options") or ()]
    modes = [found for option in options for found in re.findall(r"RAY_AUTH_MODE=\w*", option)]
    if not modes or {*modes} != {_TOKEN}:
        raise UserError(f"{name}: docker.run_options lacks --env={_TOKEN}: whoever reaches the head could run anything")
    if launch["cluster_name"] != NAME:
        raise UserError(
            f"{name}: cluster_name is {launch['cluster_name']}: rights, tags and `down` go by {NAME}; name it so"
        )
    for group, kind in launch["available_node_types"].items():
        if not _doors(kind["node_config"]):
            raise UserError(f"{name}: {group} names no network or security group: Ray's would let SSH in from anywhere")


def strange_doors(launch: Mapping[str, Any], text: str) -> list[str]:
    """A line where machines are behind a security group or in a subnetwork that evonas has not made.

    Args:
        launch: the file.
        text: the same; its first line says what was filled in.
    """
    found = _FILLED.match(text)
    values = json.loads(found[1]) if found else {}
    doors = {door for kind in launch["available_node_types"].values() for door in _doors(kind["node_config"])}
    own = {values.get("group"), UNKNOWN}
    strange = sorted(door for door in doors if door not in own and door.rpartition("/")[2] != NAME)
    return [
        f"{door} was put there by hand: whom it lets in is not looked at, and `down` leaves it as it is"
        for door in strange
    ]


def _doors(node: Mapping[str, Any]) -> list[str]:
    """Security groups of EC2, subnetworks or networks of Compute Engine."""
    interfaces = [*(node.get("NetworkInterfaces") or ()), *(node.get("networkInterfaces") or ())]
    found = [*(node.get("SecurityGroupIds") or ()), *(group for each in interfaces for group in each.get("Groups", ()))]
    found += [str(each[key]) for each in interfaces for key in ("subnetwork", "network") if key in each][:1]
    return [str(door) for door in found]
