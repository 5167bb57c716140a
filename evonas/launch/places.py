"""Regions and the like, of which one that fails keeps no other from being taken down."""

from collections.abc import Callable, Iterable

from evonas.errors import Halted, UserError


class Unanswered(UserError):
    """Some places have not said what there is.

    Args:
        why: which and why, for people.
        found: what the others have said.
    """

    def __init__(self, why: str, found: list[str]) -> None:
        super().__init__(why)
        self.found = found


def found_in(places: Iterable[str], ask: Callable[[str], list[str]]) -> list[str]:
    """What places say, each also where another does not answer.

    Raises:
        Unanswered: One does not.
    """
    found, faults = list[str](), list[str]()
    for place in places:
        try:
            found += ask(place)
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise Unanswered("; ".join(faults), found)
    return found


def in_each(places: Iterable[str], act: Callable[[str], None]) -> None:
    """Does something in each place, also where it fails in another.

    Raises:
        UserError: It has failed somewhere; with all that was said.
    """
    faults = []
    for place in places:
        try:
            act(place)
        except (UserError, Halted, OSError) as error:
            faults.append(f"{place}: {error}")
    if faults:
        raise UserError("; ".join(faults))
