"""What a head that runs was started with, beside the launch file that is edited, which takes effect after `down`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MOST = 5
"""Of the differences that are named."""
_FIRST = ("image", "InstanceType", "machineType", "ImageId", "sourceImage")
"""What is named before the rest."""
_TYPES = "available_node_types."


def head_file(copy: Path) -> Path:
    """Where it is kept, for the launch file that is edited."""
    return copy.with_name(copy.name.replace("my-", "my-head-", 1))


def forget(copy: Path) -> None:
    """Removes it, as the head is gone."""
    head_file(copy).unlink(missing_ok=True)


def said(copy: Path, runs: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> list[str]:
    """What a user has to know whose head runs: that its file, and none that was changed since, is in force.

    Args:
        copy: the launch file that is edited.
        runs: what the head was started with; None where that is not known.
        wanted: what it would be started with now.
    """
    if runs is None:
        return [
            f"a head runs, and with which file it was started is not known here: the costs are of {copy}, of which "
            f"what was changed since takes effect after `down`"
        ]
    if not (differs := list(differences(runs, wanted))):
        return []
    more = f"; and {len(differs) - MOST} more" if len(differs) > MOST else ""
    return [
        f"the head runs with {head_file(copy)}, the file that it was started with, and the costs are of that; what "
        f"differs takes effect after `down`: {'; '.join(differs[:MOST])}{more}"
    ]


def differences(runs: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What two launch files have differently, a part each: images and types of machines first."""
    # The parts of `metadata` are those that others repeat.
    here, there = (dict(leaves({**found, "metadata": None})) for found in (runs, wanted))
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    alike = dict[tuple[str, ...], list[str]]()
    for name in sorted(names, key=lambda name: [not name.endswith(last) for last in _FIRST]):
        old, new = (str(found.get(name, "nothing")) for found in (here, there))
        if "..." not in new:  # which is not known before the cloud is asked, and then filled in as it was
            part = name.removeprefix(_TYPES).replace("node_config.", "")
            of_all = part.partition(".")[2] if name.startswith(_TYPES) else part
            alike.setdefault((of_all, old, new), []).append(part)
    for (_, old, new), (first, *others) in alike.items():
        yield f"{first} is {old}, not {new}" + (f" ({len(others)} other types alike)" if others else "")


def leaves(found: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of all in a launch file that is no mapping or list of them."""
    if isinstance(found, Mapping) and found:
        for key, value in found.items():
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(found, list) and any(isinstance(each, Mapping | list) for each in found):
        for number, value in enumerate(found):
            yield from leaves(value, f"{name}.{number}")
    else:
        yield name, found
