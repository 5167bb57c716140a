"""The part of a launch file that a search will ask machines of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_RAYS = ("CPU", "GPU", "memory", "object_store_memory")
"""Resources that Ray knows itself; the others are of measuring machines."""
_TOGETHER = 2
"""How many machines there can be beside the head of a file that does not say it (Ray's `defaults.yaml`)."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a search asks for.

    Args:
        workers: how many at most.
        cpus: cores of each.
        gpus: GPUs of each, or a part of one.
        resources: the custom resources that its targets want.
    """

    workers: int
    cpus: float
    gpus: float
    resources: frozenset[str]


def as_ray_reads(config: Mapping[str, Any]) -> dict[str, Any]:
    """A launch file with how many machines there can be where it does not say it, as Ray's launcher fills that in."""
    together = config.get("max_workers", _TOGETHER)
    kinds = {
        name: {"min_workers": 0, "max_workers": 0 if name == config["head_node_type"] else together, **kind}
        for name, kind in config["available_node_types"].items()
    }
    return {**config, "max_workers": together, "available_node_types": kinds}


def needed(config: Mapping[str, Any], need: Need) -> dict[str, Any]:
    """A launch file with those machines alone that the search will ask for, as many as it can.

    Measuring machines stay where a target wants them, and of those for workers the ones of the highest priority that a
    worker fits on: Ray takes others only where these cannot be had.
    """
    head, kinds = config["head_node_type"], config["available_node_types"]
    boards = {name: kind for name, kind in kinds.items() if need.resources & custom_resources(kind)}
    rest = {name: kind for name, kind in kinds.items() if name != head and not custom_resources(kind)}
    fit = {name: _machines(kind, need) for name, kind in rest.items()}
    first = max((kinds[name].get("priority", 0) for name, count in fit.items() if count), default=0)
    elastic = {
        name: {**kinds[name], "max_workers": count}
        for name, count in fit.items()
        if count and kinds[name].get("priority", 0) == first
    }
    most = [int(kind.get("max_workers", 0)) for kind in boards.values()]
    together = max((kind["max_workers"] for kind in elastic.values()), default=0) + sum(most)
    return {
        **config,
        "available_node_types": {head: kinds[head], **elastic, **boards},
        "max_workers": min(int(config.get("max_workers", together)), together),
    }


def custom_resources(kind: Mapping[str, Any]) -> set[str]:
    """The resources of a kind of machine that a target can want; none of those for workers."""
    return set(kind.get("resources") or ()) - set(_RAYS)


def _machines(kind: Mapping[str, Any], need: Need) -> int:
    """How many of a kind all workers come to; 0 where none fits."""
    has = kind.get("resources") or {}
    asked = {"CPU": need.cpus, "GPU": need.gpus}
    each = min((int(has.get(name, 0) / wanted + 1e-9) for name, wanted in asked.items() if wanted), default=1)
    return min(int(kind.get("max_workers", 0)), math.ceil(need.workers / each)) if each else 0
