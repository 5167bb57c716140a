"""Which architectures of a file or a run become founders: those of the space, as many as a third of the population.

They are chosen once, when a search begins. From then on its config has them as a list, so that it goes on and is
verified without the file or the earlier run, whatever has become of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.config import Config
from evonas.errors import UserError
from evonas.records import Genome
from evonas.reuse.architectures import Listed, listed
from evonas.run_identity.describing import FOUNDERS_FROM
from evonas.spaces.space import Space
from evonas.store import Folder, is_run, read_run
from evonas.text import counted

SHARE = 3
"""Of the population, one in so many is taken at most: a search that begins with known ones alone finds their like."""
NAMED = 8
"""Networks that a message names at most."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A config with its founders as a list.

    Args:
        config: it.
        source: where they are from; empty where the config has listed them itself.
        notes: what a person should know of it.
    """

    config: Config
    source: str = ""
    notes: tuple[str, ...] = ()


def chosen(config: Config, space: Space, folder: Folder | None = None) -> Chosen:
    """Take the founders of a config from where it says that they are.

    Args:
        config: whose `founders` are a list already, which is taken whole, or a source.
        space: of the search.
        folder: of the run, if it is known; one that has begun has them.

    Raises:
        UserError: there is no such source, or it has no architecture of the space.
    """
    source = config.founders
    if not isinstance(source, str):
        return Chosen(config)
    recorded = read_run(folder) if folder and is_run(folder) else {}
    if recorded.get(FOUNDERS_FROM) == source:
        return Chosen(_with(config, recorded["config"]["founders"]), source)
    found = listed(source)
    if recorded and recorded["config"].get("founders") == list(found.architectures):  # a run from before this share
        return Chosen(_with(config, found.architectures), source)
    of_space, refused = _of_space(found, source, space)
    places = spread(len(of_space), max(1, config.population // SHARE))
    taken = [of_space[place] for place in places]
    left = [of_space[place] for place in range(len(of_space)) if place not in places]
    notes = tuple(_notes(found, config, source, taken, left, refused))
    return Chosen(_with(config, [found.architectures[place] for place in taken]), source, notes)


def spread(count: int, most: int) -> list[int]:
    """Places evenly along a list, the first and the last among them.

    Args:
        count: entries of the list.
        most: places that are taken at most.
    """
    if count <= most or most == 1:
        return list(range(min(count, most)))
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]


def _with(config: Config, founders: Sequence[Mapping[str, Any]]) -> Config:
    return config.model_copy(update={"founders": tuple(map(dict, founders))})


def _of_space(found: Listed, source: str, space: Space) -> tuple[list[int], dict[int, str]]:
    """Places of the networks that the space has, each network once; and of others, with what it does not have.

    A file must hold nothing else. A run may be of a space that is larger than this one.
    """
    networks: dict[str, int] = {}
    refused: dict[int, str] = {}
    for place, architecture in enumerate(found.architectures):
        try:
            genome: Genome = space.encode(architecture)
        except ValueError as error:
            if not found.space:
                raise UserError(f"founders: {source}: {found.names[place]}: {error}") from None
            refused[place] = str(error)
        else:
            networks.setdefault(space.identity(genome), place)
    if refused and not networks:
        first, why = next(iter(refused.items()))
        raise UserError(
            f"founders: {source} is a run of another space, {found.space.partition('(')[0]}, and none of its front is "
            f"one of {type(space).__name__}: {found.names[first]}: {why}"
        )
    return list(networks.values()), refused


def _notes(
    found: Listed, config: Config, source: str, taken: Sequence[int], left: Sequence[int], refused: Mapping[int, str]
) -> list[str]:
    what = f"the front of {source}" if found.space else source
    if not taken:
        return [f"founders: {what} has no network yet, and the search begins without"]
    notes = []
    if left:
        notes.append(
            f"founders: {len(taken):,} of {counted(len(taken) + len(left), 'network')} of {what} come first, a third "
            f"of a population of {config.population}; left out: {_named(found, left)}; a list in the config is taken "
            "whole"
        )
    if refused:
        first, why = next(iter(refused.items()))
        notes.append(
            f"founders: {counted(len(refused), 'network')} of {what} left out that this space does not have: "
            f"{_named(found, list(refused))}; {found.names[first]}: {why}"
        )
    return notes


def _named(found: Listed, places: Sequence[int]) -> str:
    more = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
    return ", ".join(found.names[place] for place in places[:NAMED]) + more
