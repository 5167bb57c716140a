"""The launch file that a head was started with, kept beside the one that is edited, which takes effect after `down`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evonas.launch.launch_files.written import parsed
from evonas.launch.order import Order
from evonas.launch.owned import other_token
from evonas.launch.recovered import said_in, with_place
from evonas.launch.tokens import known_digest

MOST = 5
"""Of the differences that are named."""
_FIRST = ("image", "InstanceType", "machineType", "ImageId", "sourceImage")
"""What is named before the rest."""
_TYPES = "available_node_types."


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
    """The file that the head of this text's place has, where it is kept; else this text."""
    return found.read_text() if (found := _same_place(head_file(copy), copy, text)) else text


def in_force(copy: Path) -> Path:
    """The file by which the head that runs is found: its own where it is kept, for the other may say another zone."""
    return _same_place(head_file(copy), copy, copy.read_text()) or copy


def notes(copy: Path, text: str) -> list[str]:
    """What a user has to know whose head runs: that its file, and none that was changed since, is in force.

    Args:
        copy: the launch file that is edited.
        text: what it is about to be.
    """
    path = _same_place(head_file(copy), copy, text)
    if path is None:
        return [
            f"a head runs, and with which file it was started is not known here: the costs are of {copy}, of which "
            f"what was changed since takes effect after `down`"
        ]
    differs = list(differences(parsed(path.read_text(), path), parsed(text, copy)))
    if not differs:
        return []
    more = f"; and {len(differs) - MOST} more" if len(differs) > MOST else ""
    return [
        f"the head runs with {path}, the file that it was started with, and the costs are of that; what differs takes "
        f"effect after `down`: {'; '.join(differs[:MOST])}{more}"
    ]


def placed(text: str, order: Order, bucket: str, run: str | None) -> str:
    """A launch file that says bucket, run folders and token of its cluster, which no place of it holds.

    Args:
        text: of the file.
        order: what is asked for.
        bucket: of the run folders.
        run: the run folder of this line.
    """
    return with_place(text, {"bucket": bucket, "runs": order.runs(run), "token": known_digest()})


def filled(copy: Path, name: str) -> list[str]:
    """What was filled in for a name, in the launch file that is edited and in that of the head."""
    found = (said_in(path).get(name) for path in (copy, head_file(copy)))
    return [value for value in found if isinstance(value, str) and value]


def check_token(copy: Path, text: str, order: Order) -> None:
    """Lets go on where a head that runs may have this user's token.

    Args:
        copy: the launch file that is edited.
        text: what it is about to be.
        order: what is asked for.

    Raises:
        UserError: It was started with another, or there is none here any more.
    """
    now = known_digest()
    files = [path for name in (head_file(copy), copy) if (path := _same_place(name, copy, text))]
    its = next((said["token"] for path in files if "token" in (said := said_in(path))), now)
    if not now or its != now:
        raise other_token("the head that runs", order.again("down"))


def differences(runs: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What two launch files have differently, a part each: images and types of machines first."""
    # The parts of `metadata` are those that others repeat.
    here, there = (dict(_leaves({**found, "metadata": None})) for found in (runs, wanted))
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


def _same_place(path: Path, copy: Path, text: str) -> Path | None:
    """A file of the place that this text is of, if it is there: a project of Google has one head in all regions."""
    if not path.exists():
        return None
    here, there = parsed(text, copy)["provider"], parsed(path.read_text(), path)["provider"]
    key = "project_id" if "project_id" in here else "region"
    return path if here.get(key) == there.get(key) else None


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
