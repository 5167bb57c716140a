"""Pools of machines in a launch file: they are all of Kubernetes', and the machines of all namespaces end with them."""

from pathlib import Path

import yaml

from evonas.launch import programs
from evonas.launch.guards import NAME
from evonas.launch.kubectl import Place

_POOL = "NodePool"
_CLUSTERS = r"jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{'\n'}{end}"


def delete(copy: Path, place: Place) -> list[str]:
    """Deletes what a launch file has made, but not pools that others may need.

    Args:
        copy: the file.
        place: where its cluster is.

    Returns:
        The pools that are left as they are.

    Raises:
        Halted: kubectl cannot delete it.
        UserError: The same.
    """
    parts = [part for part in yaml.safe_load_all(copy.read_text()) if part]
    pools = [part["metadata"]["name"] for part in parts if part["kind"] == _POOL]
    if not pools or not _are_needed(place):
        programs.run(*place.line("delete", "-f", str(copy), "--ignore-not-found"))
        return []
    own = yaml.safe_dump_all(part for part in parts if part["kind"] != _POOL)
    print(programs.answer(*place.line("delete", "-f", "-", "--ignore-not-found"), text=own))
    return pools


def _are_needed(place: Place) -> bool:
    """Whether other namespaces have a cluster of this name; where that is not said, they may."""
    code, said = programs.ask(*place.line("get", "rayclusters.ray.io", "--all-namespaces", "-o", _CLUSTERS))
    others = (line.partition("/") for line in said.splitlines() if line.endswith(f"/{NAME}"))
    return bool(code) or any(namespace != place.namespace for namespace, _, _ in others)
