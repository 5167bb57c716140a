"""The launch file that a head was started with, kept beside the one that is edited, which takes effect after `down`."""

from pathlib import Path

from evonas.launch.launch_files.head_file import head_file, said
from evonas.launch.launch_files.written import parsed
from evonas.launch.order import Order
from evonas.launch.owned import other_token
from evonas.launch.recovered import said_in, with_place
from evonas.launch.tokens import known_digest


def keep(copy: Path) -> None:
    """Keeps a launch file as the one that the head has been started with."""
    head_file(copy).write_text(copy.read_text())


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


def _same_place(path: Path, copy: Path, text: str) -> Path | None:
    """A file of the place that this text is of, if it is there: a project of Google has one head in all regions."""
    if not path.exists():
        return None
    here, there = parsed(text, copy)["provider"], parsed(path.read_text(), path)["provider"]
    key = "project_id" if "project_id" in here else "region"
    return path if here.get(key) == there.get(key) else None
