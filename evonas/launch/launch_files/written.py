"""The launch files of a cluster, written into its folder."""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from evonas.clusters.needed import as_ray_reads
from evonas.clusters.shipped import shipped
from evonas.clusters.template import by_hand, fill, renewed
from evonas.errors import UserError
from evonas.launch.launch_files.head_file import cure
from evonas.launch.launch_files.loader import document
from evonas.launch.order import Order

_PLACES = re.compile(r"\b(zones|regions)/([\w-]+)")
"""As Google names networks and types of disks."""


def launch_file(name: str, resources: Collection[str]) -> str:
    """A launch file as it comes.

    Args:
        name: `aws.yaml`.
        resources: the custom resources that targets want.

    Raises:
        UserError: A target wants a resource that no machine of the file has.
    """
    text = shipped(name)
    check_resources(name, text, resources)
    return text


def check_resources(name: str, text: str, resources: Collection[str]) -> None:
    """Lets go on where the machines of a file have what targets want.

    Raises:
        UserError: One has not.
    """
    pattern = r'\b{}\b\\?"?: ?1'
    absent = sorted(resource for resource in resources if not re.search(pattern.format(re.escape(resource)), text))
    if absent:
        raise UserError(
            f"no machine of {name} has the resource {absent[0]} of a target: known is latency_l4; for another, copy "
            f"the measuring machines in your launch file"
        )


def filled(name: str, resources: Collection[str], values: Mapping[str, str]) -> str:
    """The same with values in it; nothing is written."""
    return fill(launch_file(name, resources), values)


def put(folder: Path, name: str, text: str, replace: bool = False) -> Path:
    """Writes a launch file as it comes, from which `my-NAME` is filled in.

    Args:
        folder: of the cluster.
        name: of the file.
        text: of the file.
        replace: `my-NAME` is about to be written over, also where it was changed by hand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    mine = path.with_name(f"my-{name}")
    if not replace and path.exists() and by_hand(mine, path.read_text()):
        return path  # what was changed by hand is compared with what it was made of
    path.write_text(text)
    return path


def parsed(text: str, name: object) -> dict[str, Any]:
    """A launch file of Ray, which its user may have changed.

    Args:
        text: of the file.
        name: of the file, for people.

    Raises:
        UserError: It is not YAML, or lacks what `ray up` needs.
    """
    try:
        found = document(text)
    except yaml.YAMLError as error:
        raise UserError(f"{name} is not YAML: {' '.join(str(error).split())}; {cure(name)}") from None
    if lacking := next(_lacking(found), None):
        raise UserError(f"{name} has no {lacking}; {cure(name)}")
    return as_ray_reads(found)


def as_up_has_it(folder: Path, name: str, new: str, replace: bool, values: Mapping[str, str]) -> str:
    """The copy of a launch file that `up` starts: where it was changed by hand what is there, else the new text.

    Args:
        folder: of the cluster.
        name: of the launch file.
        new: what would be written.
        replace: write over a copy that was changed by hand.
        values: known already, of those that are put anew into such a copy.
    """
    template, copy = folder / name, folder / f"my-{name}"
    old = template.read_text() if template.exists() else ""
    return renewed(copy.read_text(), old, values) if not replace and by_hand(copy, old, new) else new


def hand_note(folder: Path, name: str, replace: bool = False) -> list[str]:
    """A line where the copy of a launch file was changed by hand.

    Args:
        folder: of the cluster.
        name: of the launch file.
        replace: it is about to be written over.
    """
    template, copy = folder / name, folder / f"my-{name}"
    hand = not replace and by_hand(copy, template.read_text() if template.exists() else "")
    return [f"{copy} was changed by hand and is taken as it is; --replace writes it anew"] if hand else []


def check_place(config: Mapping[str, Any], name: object, order: Order, **places: str | None) -> None:
    """Lets go on where a launch file starts its machines where they are looked for later.

    Args:
        config: the file.
        name: of the file, for people.
        order: with what was started from this folder.
        places: an option -> its value; None: not known yet. `region` and `project` are looked at.

    Raises:
        UserError: It starts them elsewhere.
    """
    started = {part for place in order.state.owns for part in place.split("/")}
    for option, key in (("region", "region"), ("project", "project_id")):
        there, here = config["provider"].get(key), places.get(option)
        if there and here and there != here:
            way = f": --{option} {there}, or --replace"
            if here in started and there not in started:  # that would be a second cluster
                way = f", where a cluster was started from here: --replace, or first {order.again('down')}"
            raise UserError(f"{name} was changed by hand and is of {there}, not of {here}{way}")
    _check_zones(config, name)


def _check_zones(config: Mapping[str, Any], name: object) -> None:
    """Raises UserError where a zone, or what is named by one or by a region, is of another region than the file."""
    region, said = config["provider"].get("region"), config["provider"].get("availability_zone")
    zones = [zone.strip() for zone in str(said).split(",")] if said else []
    if other := [zone for zone in zones if region and not zone.startswith(region)]:
        raise UserError(
            f"{name} is of region {region}, and its availability_zone {other[0]} is of another: make them one"
        )
    own = {"regions": [region] if region else [], "zones": zones}
    text = json.dumps([kind["node_config"] for kind in config["available_node_types"].values()])
    for kind, there in sorted({*_PLACES.findall(text)}):
        if own[kind] and there not in own[kind]:
            raise UserError(f"{name} is of {', '.join(own[kind])}, and names {kind}/{there}: make them one")


@contextmanager
def reading(copy: Path) -> Iterator[None]:
    """Whatever else a launch file that its user has changed lacks is one line.

    Raises:
        UserError: It lacks something, or has something else in its place.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        if not copy.exists():
            raise
        why = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(f"{copy} is not as the launch files are: {why}; {cure(copy)}") from error


def _lacking(found: Any) -> Iterator[str]:
    """What is not there of that which is read of a launch file, the first of it first."""
    sections = found if isinstance(found, dict) else {}
    for name, kind in {"cluster_name": str, "provider": dict, "available_node_types": dict}.items():
        if not isinstance(sections.get(name), kind):
            yield name
    if not _is_count(sections.get("max_workers", 0)):
        yield "whole max_workers from 0"
    kinds = sections["available_node_types"]
    if sections.get("head_node_type") not in kinds:
        yield "head_node_type that is one of its available_node_types"
    for name, kind in kinds.items():
        node = kind.get("node_config") if isinstance(kind, dict) else None
        if not isinstance(node, dict) or not {"InstanceType", "machineType"} & {*node}:
            yield f"type of machine in the node_config of {name}"
        elif not all(_is_count(kind.get(count, 0)) for count in ("min_workers", "max_workers")):
            yield f"whole min_workers and max_workers from 0 in {name}"
        elif kind.get("min_workers", 0) > kind.get("max_workers", math.inf):
            yield f"max_workers in {name} that is not below its min_workers"


def _is_count(found: object) -> bool:
    return type(found) is int and found >= 0
