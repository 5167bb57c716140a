"""Pools of machines of a cluster: they are all of Kubernetes', and the machines of all namespaces end with them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place, clusters, listed
from evonas.launch.kubernetes.manifests import named, objects
from evonas.launch.kubernetes.pod_labels import types_of
from evonas.launch.kubernetes.pod_objects import POOLS
from evonas.launch.kubernetes.pods import cluster, quantity
from evonas.launch.kubernetes.strangers import not_shown
from evonas.launch.launch_files.differences import lacking
from evonas.launch.launch_files.guards import NAME
from evonas.prices import Size, list_prices

Pool = Mapping[str, Any]
_POOLS = "nodepools.karpenter.sh"
HEAD = f"nodepool/{NAME}-head"


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools of evonas's names that are there.

    Args:
        going: go with the cluster.
        needed: clusters of other namespaces may need them.
        strange: no `up` from here has made them, and they are not as it would; what differs is in brackets.
        unsaid: why kubectl does not show them; empty where it does, or there is no Karpenter.
    """

    going: Sequence[str] = ()
    needed: Sequence[str] = ()
    strange: Sequence[str] = ()
    unsaid: str = ""


def look(place: Place, copy: Path, made: Collection[str]) -> Pools:
    """What of the pools `down` takes.

    Args:
        place: where the cluster is.
        copy: its launch file, which may be lost.
        made: what `up` has made from here, as far as a state knows it.
    """
    file = _of_file(copy)
    if file == [] and not {*made} & {*POOLS}:
        return Pools()
    there, unsaid = seen(place)
    known = [*(file or ()), *objects(shipped("kuberay/overlays/eks/pools.yaml"))]
    strange = {name: why for name, pool in there.items() if name not in made and (why := _unlike(pool, known))}
    own = [name for name in there if name not in strange]
    is_needed = bool(own) and _are_needed(place)
    differs = [f"{name} ({why})" for name, why in strange.items()]
    return Pools([] if is_needed else own, own if is_needed else [], differs, unsaid)


def seen(place: Place) -> tuple[dict[str, Pool], str]:
    """Those of evonas's names that are there, by kind and name, and why kubectl does not show them."""
    names = (name.partition("/")[2] for name in POOLS)
    code, said = programs.ask(*place.line("get", _POOLS, *names, "--ignore-not-found", "-o", "json"))
    if code:
        return {}, "" if "have a resource type" in said else said
    return {named(pool): pool for pool in listed(said)}, ""


def check_room(text: str, here: Place, anyway: bool) -> None:
    """Lets go on where the head's pool has a machine for a head more, beside those of other namespaces.

    Args:
        text: of the launch file.
        here: where its cluster is about to be.
        anyway: go on without one.

    Raises:
        UserError: It has none: the head would wait for half an hour.
    """
    there = seen(here)[0].get(HEAD) if any(named(pool) == HEAD for pool in of(text)) else None
    limit = ((there or {}).get("spec", {}).get("limits") or {}).get("cpu")
    heads = [each for each in clusters(here, NAME)[0] if each != here.namespace] if limit is not None else []
    most = max((size.cpu for size in _sizes(text)), default=0)
    if heads and not anyway and (len(heads) + 1) * most > quantity(limit, "cpu"):
        raise UserError(
            f"{HEAD} of {here.context} may have {limit} CPUs (limits), and heads run in namespaces {', '.join(heads)}: "
            f"another, on a machine with {most:g}, would wait in vain; have the limit raised, or --anyway"
        )


def fitted(text: str, place: Place, made: Collection[str]) -> tuple[str, list[str], list[str]]:
    """A launch file without the pools that are there and that no `up` from here has made, which it leaves as they are.

    Args:
        text: of the file.
        place: where its cluster is about to be.
        made: what `up` has made from here.

    Returns:
        The text, the pools that it makes, and a line for each that is left and differs.

    Raises:
        UserError: kubectl does not show which are there.
    """
    wanted = {named(pool): pool for pool in of(text)}
    there, unsaid = seen(place) if wanted else ({}, "")
    if unsaid:
        raise not_shown(f"the pools of {place.context}", unsaid)
    others = {name: wanted[name] for name in there if name in wanted and name not in made}
    lines = [
        f"{name} is there, and no `up` from here has made it: it stays as it is ({why})"
        for name, pool in others.items()
        if (why := _unlike(there[name], [pool]))
    ]
    if others:
        head = "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
        text = head + yaml.safe_dump_all([part for part in objects(text) if named(part) not in others])
    return text, [name for name in wanted if name not in others], lines


def delete(place: Place, names: Sequence[str]) -> None:
    """Deletes pools.

    Raises:
        Halted: kubectl cannot delete one.
    """
    if names:
        bare = (name.partition("/")[2] for name in names)
        programs.run(*place.line("delete", _POOLS, *bare, "--ignore-not-found"))


def of(text: str) -> list[Pool]:
    """Those of a launch file that have evonas's names."""
    return [part for part in objects(text) if named(part) in POOLS]


def _sizes(text: str) -> list[Size]:
    """Of the machines that the head of a launch file may get."""
    types = types_of(cluster(text)["spec"]["headGroupSpec"])
    return [size for type_ in types if (size := list_prices().size_of(type_))]


def _of_file(copy: Path) -> list[Pool] | None:
    """As of `of`; None where the file is lost, or its user has changed it so that it cannot be read."""
    try:
        return of(copy.read_text())
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _unlike(pool: Pool, wanted: Sequence[Pool]) -> str:
    """What a pool has otherwise than all those of its name that are wanted, beside what Kubernetes adds."""
    found = [", ".join(lacking(pool.get("spec"), one["spec"])) for one in wanted if named(one) == named(pool)]
    return "" if "" in found else next(iter(found), "")


def _are_needed(place: Place) -> bool:
    """Whether other namespaces have a cluster of this name; where that is not said, they may."""
    found, unsaid = clusters(place, NAME)
    return bool(unsaid) or any(namespace != place.namespace for namespace in found)
