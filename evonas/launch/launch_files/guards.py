"""What keeps strangers out of a cluster, in a launch file that its user has changed by hand."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evonas.clusters.template import unchanged
from evonas.errors import UserError
from evonas.launch.launch_files.token_mode import check_mode, texts
from evonas.launch.tokens import token_file

NAME = "evonas"
"""Of the cluster, of the security group or the subnetwork, and in the policy of the head's role."""
UNKNOWN = "sg-..."
"""The group, where it is not asked for yet."""
_ROLE = f"{NAME}-head"
_TOKEN = "RAY_AUTH_MODE=token"
_TOKEN_SET = re.compile(r"(?<!\$)(?<!\$\{)RAY_AUTH_TOKEN\b")
_MOUNT = "/tmp/evonas-auth"
_DASHBOARD = re.compile(r"--dashboard-host(?:=|\s+)[\"']?([^\s\"';|&]+)")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_guards(launch: Mapping[str, Any], name: object) -> None:
    """Lets go on with a file of Ray's launcher whose cluster asks for the token and is found by its name.

    Raises:
        UserError: It does not, or it or its key pair has another name, its machines come into a network that lets
            anybody in, its head may do more than it needs, or its dashboard can be reached without a tunnel.
    """
    docker = launch.get("docker") or {}
    if not docker.get("container_name"):
        raise UserError(f"{name}: docker has no container_name: Ray would run beside it, and ask for no token; name it")
    options = [str(option) for option in docker.get("run_options") or ()]
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
    head = launch["available_node_types"][launch["head_node_type"]]["node_config"]
    if not _roles(head):
        key, own, all_of = ("IamInstanceProfile", "{Name: evonas-head}", "EC2 and S3")
        if "machineType" in head:
            key, own, all_of = ("serviceAccounts", "that of evonas-head", "compute and storage")
        raise UserError(f"{name}: the head names no {key}: Ray's may do all of {all_of}; {own} may do what is needed")
    check_mode(launch, name)
    _check_token(launch, name)
    check_dashboard(texts(launch), name)
    if other := [key for key in _key_pairs(launch) if key != NAME]:
        raise UserError(
            f"{name}: the key pair is {other[0]}, and the head's role, `down` and whose a cluster is go by {NAME}: "
            f"key_pair: {{key_name: {NAME}}}"
        )


def _check_token(launch: Mapping[str, Any], name: object) -> None:
    """Raises UserError where it is not that of `~/.evonas-cluster` which comes to the machines, or none does."""
    sources = {str(there).rstrip("/"): here for there, here in (launch.get("file_mounts") or {}).items()}
    if Path(str(sources.get(_MOUNT))).expanduser() != token_file().parent:
        raise UserError(
            f"{name}: file_mounts does not bring the token, without which no machine starts: file_mounts: "
            f"{{{_MOUNT}: ~/.evonas-cluster/auth}}"
        )
    if any(_TOKEN_SET.search(text) for text in texts(launch)):
        raise UserError(
            f"{name}: RAY_AUTH_TOKEN: who can read the file has it, and it would be another token than that of "
            f"~/.evonas-cluster, which comes as a file: leave it out"
        )


def check_dashboard(texts: Iterable[str], name: object) -> None:
    """Lets go on with lines that start Ray whose dashboard can be reached through a tunnel alone.

    Args:
        texts: the lines, or all of a launch file.
        name: of the file, for people.

    Raises:
        UserError: One opens it to a network.
    """
    found = [host for text in texts for host in _DASHBOARD.findall(text.replace("\\\n", " "))]
    if hosts := [host for host in found if host not in _LOOPBACK]:
        raise UserError(
            f"{name}: --dashboard-host is {hosts[0]}: whoever reaches it can run anything, and `up` needs no more "
            f"than {_LOOPBACK[0]}"
        )


def strange_doors(launch: Mapping[str, Any], text: str) -> list[str]:
    """A line where machines are behind a security group or in a subnetwork that evonas has not made.

    Args:
        launch: the file.
        text: the same; its first line says what was filled in.
    """
    values = dict[str, str]()
    with suppress(ValueError):  # its first line says nothing
        values = unchanged(text)
    doors = {door for kind in launch["available_node_types"].values() for door in _doors(kind["node_config"])}
    own = {values.get("group"), UNKNOWN}
    strange = sorted(door for door in doors if door not in own and door.rpartition("/")[2] != NAME)
    return [
        f"{door} was put there by hand: whom it lets in is not looked at, and `down` leaves it as it is"
        for door in strange
    ]


def strange_roles(launch: Mapping[str, Any]) -> list[str]:
    """A line for each role or account of machines that evonas has not made."""
    roles = {role for kind in launch["available_node_types"].values() for role in _roles(kind["node_config"])}
    return [
        f"{role} was put there by hand: what machines may do by it is not looked at, and `down` leaves it as it is"
        for role in sorted(roles)
        if role.rpartition("/")[2].partition("@")[0] != _ROLE
    ]


def _key_pairs(launch: Mapping[str, Any]) -> list[str]:
    """Those of machines of EC2: where nothing names one, Ray makes one that all clusters of the region share."""
    nodes = [kind["node_config"] for kind in launch["available_node_types"].values()]
    found = [str(node["KeyName"]) for node in nodes if "KeyName" in node]
    if launch["provider"].get("type") != "aws" or "ssh_private_key" in (launch.get("auth") or {}):
        return found
    named = (launch["provider"].get("key_pair") or {}).get("key_name")
    return [*found, str(named or "Ray's own")]


def _roles(node: Mapping[str, Any]) -> list[str]:
    """The instance profile on EC2, service accounts on Compute Engine."""
    profile = node.get("IamInstanceProfile") or {}
    found = [
        profile.get("Arn") or profile.get("Name"),
        *(one.get("email") for one in node.get("serviceAccounts") or ()),
    ]
    return [str(role) for role in found if role]


def _doors(node: Mapping[str, Any]) -> list[str]:
    """Security groups of EC2, subnetworks or networks of Compute Engine."""
    interfaces = [*(node.get("NetworkInterfaces") or ()), *(node.get("networkInterfaces") or ())]
    found = [*(node.get("SecurityGroupIds") or ()), *(group for each in interfaces for group in each.get("Groups", ()))]
    found += [str(each[key]) for each in interfaces for key in ("subnetwork", "network") if key in each][:1]
    return [str(door) for door in found]
