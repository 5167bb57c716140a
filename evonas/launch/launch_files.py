"""The launch files of a cluster, written into its folder."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from evonas.clusters.shipped import shipped
from evonas.clusters.template import by_hand, fill
from evonas.errors import UserError


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


def put(folder: Path, name: str, text: str) -> Path:
    """Writes a launch file as it comes, from which `my-NAME` is filled in."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    mine = path.with_name(f"my-{name}")
    if path.exists() and by_hand(mine, path.read_text()):
        return path  # what was changed by hand is compared with what it was made of
    path.write_text(text)
    return path


def parsed(path: Path) -> Mapping[str, object]:
    """A launch file of Ray as `ray up` gets it."""
    found: Mapping[str, object] = yaml.safe_load(path.read_text())
    return found
