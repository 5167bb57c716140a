"""Whether a launch file asks a machine for more GPUs than its type has: such a worker would be waited for in vain."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from evonas.errors import UserError
from evonas.prices import list_prices


class Asked(NamedTuple):
    """What a group of machines or pods asks for.

    Args:
        group: its name, for people.
        types: the machines that it may get, where anything says them.
        gpus: how many GPUs it asks each of them for.
    """

    group: str
    types: list[str]
    gpus: float


def check_counts(groups: Iterable[Asked], name: object, what: str) -> None:
    """Lets go on where each group fits on a machine of its type.

    Args:
        groups: of the launch file.
        name: of the file, for people.
        what: runs on the machines and would wait, for people.

    Raises:
        UserError: One asks for more GPUs than that has.
    """
    for group, types, asked in groups:
        known = [list_prices().gpus_of(type_) for type_ in types]
        if None not in known and known and asked > (most := max(count or 0 for count in known)):
            raise UserError(
                f"{name}: {group} asks for {asked:g} GPUs, and a machine of its type, {' or '.join(types)}, has "
                f"{most}: its {what} would never start; make them one"
            )


def unknown_counts(groups: Iterable[Asked]) -> Iterator[str]:
    """A line for each group that asks for GPUs of a type of which nobody knows how many it has."""
    for group, types, asked in groups:
        if asked and (unknown := [type_ for type_ in types if list_prices().gpus_of(type_) is None]):
            names = ", ".join(type_.removesuffix(".spot") for type_ in unknown)
            yield f"GPUs of {names} are not known, and {group} asks for {asked:g}: with fewer its workers never start"
