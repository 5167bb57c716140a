"""The launch file that a head was started with, kept beside the one that is edited, which takes effect after `down`."""

import sys
from collections.abc import Mapping
from pathlib import Path

from evonas.errors import UserError
from evonas.launch.costs import bill, estimate
from evonas.launch.launch_files.head_file import head_file, said
from evonas.launch.launch_files.written import parsed, reading
from evonas.launch.order import Order
from evonas.launch.owned import other_token
from evonas.launch.recovered import said_in, with_place
from evonas.launch.tokens import known_digest
from evonas.prices import Prices


def keep(copy: Path) -> None:
    """Keeps a launch file as the one that the head has been started with."""
    head_file(copy).write_text(copy.read_text())


def of_head(copy: Path, text: str) -> str:
    """The file that the head of this text's place has, where it is kept; else this text."""
    return found.read_text() if (found := _at(head_file(copy), _place(text, copy))) else text


def to_enter(copy: Path, **place: str) -> Path:
    """The file by which the head is found: that which it was started with, whatever the edited one says by now.

    Args:
        copy: the launch file that is edited.
        place: as of `_at`, of the head.
    """
    try:
        return _at(head_file(copy), place) or copy
    except UserError:
        return copy


def disks(copy: Path, usual: str, prices: Prices) -> dict[str, float | None]:
    """What the disks of a cluster that runs cost, as `bill.of_launch_file` has it: by the head's file where it is kept,
    else by the one that is edited, else by the usual one. One that is damaged is named.

    Args:
        copy: the launch file that is edited.
        usual: text of the file as it comes.
        prices: of machines and disks.
    """
    found, faults = list[tuple[dict[str, float | None], object]](), list[UserError]()
    for path in (head_file(copy), copy):
        try:
            if path.exists():
                with reading(path):
                    found.append((_disks(path.read_text(), path, prices), path))
        except UserError as error:
            faults.append(error)
    costs, by = found[0] if found else (_disks(usual, "", prices), "the launch file as it comes")
    for fault in faults:
        print(f"note: {fault}; what is there is counted by {by}", file=sys.stderr)
    return costs


def _disks(text: str, name: object, prices: Prices) -> dict[str, float | None]:
    return bill.of_launch_file(estimate.of_launch_file(parsed(text, name), prices))


def notes(copy: Path, text: str) -> list[str]:
    """What a user has to know whose head runs: that its file, and none that was changed since, is in force.

    Args:
        copy: the launch file that is edited.
        text: what it is about to be.
    """
    path = _at(head_file(copy), _place(text, copy))
    return said(copy, parsed(path.read_text(), path) if path else None, parsed(text, copy))


def placed(text: str, order: Order, bucket: str, run: str | None) -> str:
    """A launch file that says bucket, run folders and token of its cluster, which no place of it holds.

    Args:
        text: of the file.
        order: what is asked for.
        bucket: of the run folders.
        run: the run folder of this line.
    """
    return with_place(text, {"bucket": bucket, "runs": order.runs(run), "token": known_digest()})


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
    here = _place(text, copy)
    files = [path for name in (head_file(copy), copy) if (path := _at(name, here))]
    its = next((said["token"] for path in files if "token" in (said := said_in(path))), now)
    if not now or its != now:
        raise other_token("the head that runs", order.again("down"))


def _place(text: str, copy: Path) -> dict[str, str]:
    """Where a file is of: a project of Google has one head in all regions."""
    provider = parsed(text, copy)["provider"]
    key = "project_id" if "project_id" in provider else "region"
    return {key: provider[key]}


def _at(path: Path, place: Mapping[str, str]) -> Path | None:
    """A file if it is there and of this place: `region` on AWS, `project_id` on Google."""
    if not path.exists():
        return None
    with reading(path):
        there = parsed(path.read_text(), path)["provider"]
    return path if all(there.get(key) == value for key, value in place.items()) else None
