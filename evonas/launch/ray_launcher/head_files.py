"""The launch file that a head was started with, kept beside the one that is edited, which takes effect after `down`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evonas.launch.launch_files.written import parsed

MOST = 5
"""Of the differences that are named."""
_FIRST = ("image", "InstanceType", "machineType")
"""What is named before the rest."""


def head_file(copy: Path) -> Path:
    """Where it is kept, for the launch file that is edited."""
    return copy.with_name(copy.name.replace("my-", "my-head-", 1))


def keep(copy: Path) -> None:
    """Keeps a launch file as the one that the head has been started with."""
    head_file(copy).write_text(copy.read_text())


def forget(copy: Path) -> None:
    """Removes it, as the head is gone."""
    head_file(copy).unlink(missing_ok=True)


def of_head(copy: Path, text: str) -> str:
    """The file that the head of this text's region has, where it is kept; else this text."""
    return text if (found := _kept(copy, text)) is None else found


def notes(copy: Path, text: str) -> list[str]:
    """What a user has to know whose head runs: that its file, and none that was changed since, is in force.

    Args:
        copy: the launch file that is edited.
        text: what it is about to be.
    """
    path, kept = head_file(copy), _kept(copy, text)
    if kept is None:
        return [
            f"a head runs, and with which file it was started is not known here: the costs are of {copy}, of which "
            f"what was changed since takes effect after `down`"
        ]
    differs = list(differences(parsed(kept, path), parsed(text, copy)))
    if not differs:
        return []
    more = f"; and {len(differs) - MOST} more" if len(differs) > MOST else ""
    return [
        f"the head runs with {path}, the file that it was started with, and the costs are of that; what differs takes "
        f"effect after `down`: {'; '.join(differs[:MOST])}{more}"
    ]


def differences(runs: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What two launch files have differently, a part each: images and types of machines first."""
    # The parts of `metadata` are those that others repeat.
    here, there = (dict(_leaves({**found, "metadata": None})) for found in (runs, wanted))
    names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    for name in sorted(names, key=lambda name: [not name.endswith(last) for last in _FIRST]):
        old, new = here.get(name, "nothing"), there.get(name, "nothing")
        if "..." not in str(new):  # which is not known before the cloud is asked, and then filled in as it was
            yield f"{name.replace('available_node_types.', '').replace('node_config.', '')} is {old}, not {new}"


def _kept(copy: Path, text: str) -> str | None:
    """The file that a head was started with, unless that one is of another region or project."""
    if not (path := head_file(copy)).exists():
        return None
    found = path.read_text()
    here, there = parsed(text, copy)["provider"], parsed(found, path)["provider"]
    return found if all(here.get(key) == there.get(key) for key in ("region", "project_id")) else None


def _leaves(found: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Path -> value of all that is no mapping or list."""
    if isinstance(found, Mapping) and found:
        for key, value in found.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(found, list) and any(isinstance(each, Mapping | list) for each in found):
        for number, value in enumerate(found):
            yield from _leaves(value, f"{name}.{number}")
    else:
        yield name, found
