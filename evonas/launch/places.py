"""Regions and the like, of which one that fails keeps no other from being taken down."""

from collections.abc import Callable, Iterable

from evonas.errors import Halted, UserError


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
