"""The objects of a launch file of Kubernetes, as its user may have changed it, and which of them are evonas's own."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.launch.kubernetes.pod_objects import ACCOUNT, OBJECTS, POOLS, SECRET
from evonas.launch.launch_files.loader import documents


def objects(text: str) -> list[dict[str, Any]]:
    """All that kubectl would make of the text of a file: those of a list (`kind: List`), too.

    Raises:
        yaml.YAMLError: It is not YAML.
        KeyError: One has no kind.
        AttributeError: One is none.
    """
    return [each for part in documents(text) if part for each in _of(part)]


def named(part: Mapping[str, Any]) -> str:
    """Kind and name of an object: `configmap/evonas-settings`."""
    return f"{part['kind'].lower()}/{part['metadata']['name']}"


def resource(part: Mapping[str, Any]) -> str:
    """Kind and group of an object, as kubectl takes them: `poddisruptionbudget.policy`."""
    group = part["apiVersion"].rpartition("/")[0]
    return ".".join(filter(None, (part["kind"].lower(), group)))


def yours(text: str) -> list[str]:
    """What of a file is none of evonas's own objects, by kind and name: `up` applies it, and `down` leaves it."""
    names = dict.fromkeys(named(part) for part in objects(text))
    return [name for name in names if name not in {*OBJECTS, *POOLS, SECRET, ACCOUNT}]


def _of(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    kind = part["kind"]
    if not kind.endswith("List") or not isinstance(part.get("items"), list):
        yield dict(part)
        return
    usual = {"apiVersion": part.get("apiVersion"), "kind": kind.removesuffix("List")}
    for item in part["items"]:
        yield from _of({**usual, **item})
