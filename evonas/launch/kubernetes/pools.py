"""Pools of machines of a cluster: they are all of Kubernetes', and the machines of all namespaces end with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place, clusters
from evonas.launch.kubernetes.pod_objects import CLUSTER, POOLS, of_known_kinds
from evonas.launch.launch_files.guards import NAME

_POOL = "NodePool"


def delete(copy: Path, place: Place) -> list[str]:
    """Deletes what a launch file has made, where it is there, and the pools, but not those that others may need.

    Args:
        copy: the file, which may be lost.
        place: where its cluster is.

    Returns:
        The pools that are left as they are.

    Raises:
        Halted: kubectl cannot delete it.
        UserError: The same.
    """
    parts = _parts(copy) if copy.exists() else []
    in_file = [part["metadata"]["name"] for part in parts if part["kind"] == _POOL]
    pools = list(dict.fromkeys((*in_file, *(name.rpartition("/")[2] for name in _there(place)))))
    if not pools or not _are_needed(place):
        if parts and of_known_kinds(place, [CLUSTER]):
            programs.run(*place.line("delete", "-f", str(copy), "--ignore-not-found"))
        elif parts:
            _delete(place, [part for part in parts if part["kind"] != "RayCluster"])
        if rest := [name for name in pools if name not in in_file]:
            programs.run(*place.line("delete", "nodepools.karpenter.sh", *rest, "--ignore-not-found"))
        return []
    kinds = {_POOL} if of_known_kinds(place, [CLUSTER]) else {_POOL, "RayCluster"}
    _delete(place, [part for part in parts if part["kind"] not in kinds])
    return pools


def _delete(place: Place, parts: list[dict[str, Any]]) -> None:
    if parts:
        print(programs.answer(*place.line("delete", "-f", "-", "--ignore-not-found"), text=yaml.safe_dump_all(parts)))


def _parts(copy: Path) -> list[dict[str, Any]]:
    """The objects of a launch file; none, which is said, where its user has changed it so that it cannot be read."""
    try:
        found = [part for part in yaml.safe_load_all(copy.read_text()) if part]
        _ = [part["kind"] == _POOL and part["metadata"]["name"] for part in found]
    except (yaml.YAMLError, ValueError, TypeError, KeyError) as error:
        why = " ".join(str(error).split())
        print(f"{copy} cannot be read ({why}): what was put in there by hand is not taken down")
        return []
    return found


def _there(place: Place) -> Iterator[str]:
    """Pools of the names that `up` makes; none where Kubernetes knows no pools, or lets nobody see them here."""
    names = (name.partition("/")[2] for name in POOLS)
    code, said = programs.ask(*place.line("get", "nodepools.karpenter.sh", *names, "--ignore-not-found", "-o", "name"))
    yield from [] if code else said.split()


def _are_needed(place: Place) -> bool:
    """Whether other namespaces have a cluster of this name; where that is not said, they may."""
    found, unsaid = clusters(place, NAME)
    return bool(unsaid) or any(namespace != place.namespace for namespace in found)
