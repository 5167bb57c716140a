"""Whose a cluster is: names are the same for all users of an account, and nobody takes another's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from evonas.errors import Halted, UserError
from evonas.launch.order import Order
from evonas.launch.state import change, read
from evonas.launch.tokens import token_file

Seen = TypeVar("Seen")


class NotOwn(UserError):
    """What is there is somebody else's: nothing was made, and the same line would be refused again."""


def not_own(order: Order) -> str:
    """What is said of somebody else's, with the line that takes it down if it is this user's all the same."""
    place = {name: value for name in ("region", "project") if (value := order.given.get(name))}
    return (
        f"neither {order.folder} nor a key of this machine says that you started it; if you did, "
        f"{order.again('down', **place)} --anyway takes it down"
    )


def other_token(there: str, way: str) -> UserError:
    """What is said of a cluster that would take no search from here, before anything costs.

    Args:
        there: what has the token.
        way: the line by which it goes.
    """
    return UserError(
        f"{there} has another token than {token_file()}, which was lost or made anew since, and would take no search "
        f"from here; nothing was started: put the old one back there, or take it down first ({way}), and the same line "
        f"starts it anew"
    )


def strange_token(there: str, way: str) -> UserError:
    """What is said of a token that is there without a cluster, and of which nobody here knows whose it is.

    Args:
        there: what has the token.
        way: the line by which it goes.
    """
    return UserError(
        f"{there} has another token than {token_file()}, and may be somebody else's: it would take no search from "
        f"here; nothing was started: --namespace, another one; if it is yours, put its token there, or take it down "
        f"first ({way}), and the same line starts it anew"
    )


def owns(folder: Path, place: str) -> bool:
    """Whether the cluster in a place (a region, a project, a context) was started from this folder."""
    return place in read(folder).owns


def check_own(folder: Path, own: bool, there: list[str]) -> None:
    """Lets go on where nobody else's cluster is: before its token is looked at, and before a user agrees to a cost.

    Args:
        folder: of the cluster.
        own: whether what is there is this user's.
        there: what is there of a cluster, a line each.

    Raises:
        NotOwn: Somebody else's is there.
    """
    if there and not own:
        raise NotOwn(
            f"{there[0]} is of a cluster that neither {folder} nor a key of this machine has started: go on from its "
            f"own folder (--folder), or elsewhere"
        )


def claim(folder: Path, place: str, own: bool, there: list[str]) -> None:
    """Notes that the cluster in a place is this folder's, before anything of it is made.

    Args:
        folder: of the cluster.
        place: where it is.
        own, there: as of `check_own`; somebody else may have begun since.

    Raises:
        NotOwn: Somebody else's is there.
    """
    check_own(folder, own, there)
    known = read(folder)
    # A cluster of whose start this folder knows nothing may have a search: its Ray is not started anew.
    started = known.started or (bool(there) and place not in known.owns)
    change(folder, owns=tuple(dict.fromkeys((*known.owns, place))), started=started)


@contextmanager
def claimed(folder: Path, place: str, own: bool, there: list[str], seen: Callable[[], Seen]) -> Iterator[Seen]:
    """Notes the same while something of the cluster is made, and no longer where that fails and nothing was made.

    Args:
        folder, place, own, there: as of `claim`.
        seen: asks the cloud what it has of it.

    Yields:
        What it has before.

    Raises:
        NotOwn: Somebody else's is there.
    """
    before, is_new = seen(), not owns(folder, place)
    claim(folder, place, own, there)
    try:
        yield before
    except (UserError, Halted):
        with suppress(UserError):  # who cannot see it keeps the note
            if is_new and seen() == before:
                give_up(folder, place)
        raise


def give_up(folder: Path, place: str) -> None:
    """Notes that nothing is left in a place."""
    known = read(folder).owns
    if place in known:
        change(folder, owns=tuple(other for other in known if other != place))
