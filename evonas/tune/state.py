"""What a searcher was told, in a file: JSON, from which nothing is unpickled."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.atomic_files import replace
from evonas.errors import UserError
from evonas.text import describe_error
from evonas.tune.evolution import Completed, Event, Failed, Suggested
from evonas.tune.plain import Plain

VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """What a searcher was told, as plain data.

    Args:
        search: which search it is; empty where it has not begun.
        events: all that happened, in order.
        latest: trial in work -> the last metrics that it reported.
        param_space: what Tune gave, as plain data; None where it gave none, or where it cannot be plain data.
    """

    search: Mapping[str, Any]
    events: Sequence[Event]
    latest: Mapping[str, Mapping[str, float]]
    param_space: Plain | None = None


def to_data(state: State) -> dict[str, Any]:
    """A state as plain data, which JSON can hold."""
    events = [[_KINDS[type(event)], event.trial, _what(event)] for event in state.events]
    latest = {trial: dict(metrics) for trial, metrics in state.latest.items()}
    search, space = dict(state.search), state.param_space
    return {"version": VERSION, "search": search, "param_space": space, "events": events, "latest": latest}


def from_data(data: Any, what: str) -> State:
    """A state from what `to_data` made of it.

    Args:
        data: plain data, which may be anybody's.
        what: where they come from, for messages.

    Returns:
        The state; each of its events is of a trial that was suggested before.

    Raises:
        UserError: they are none.
    """
    try:
        if data["version"] != VERSION:
            raise ValueError(f"of version {data['version']!r}, and this evonas reads version {VERSION}")
        events = [_event(*item) for item in data["events"]]
        _check_order(events)
        latest = {str(name): _numbers(one) for name, one in data["latest"].items()}
        return State(dict(data["search"]), events, latest, data["param_space"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{what}: not the state of an EvolutionSearcher: {describe_error(error)}") from None


def write(path: str, state: State) -> None:
    """Write a file that is whole or not there.

    Args:
        path: where.
        state: of a searcher.

    Raises:
        OSError: it cannot be written.
    """
    replace(Path(path), json.dumps(to_data(state)).encode())


def read(path: str) -> State:
    """Read what `write` wrote.

    Args:
        path: of the file.

    Returns:
        The state.

    Raises:
        UserError: it is no such file.
    """
    try:
        data = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not the state of an EvolutionSearcher: {describe_error(error)}") from None
    return from_data(data, path)


def check_same(recorded: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse the history of another search.

    Args:
        recorded: which search a state is of.
        own: which search the searcher is.

    Raises:
        UserError: they differ; names the first thing.
    """
    for key, value in json.loads(json.dumps(own)).items():
        if recorded.get(key) != value:
            raise UserError(
                f"the state is of another search: there {key} is {recorded.get(key)!r}, in this searcher {value!r}; "
                "make the searcher with the same arguments"
            )


def _check_order(events: Sequence[Event]) -> None:
    known: set[str] = set()
    for event in events:
        if isinstance(event, Suggested) == (event.trial in known):
            raise ValueError(f"trial {event.trial} is suggested twice or not at all")
        known.add(event.trial)


_KINDS: dict[type[Event], str] = {Suggested: "suggested", Completed: "completed", Failed: "failed"}


def _what(event: Event) -> Any:
    if isinstance(event, Suggested):
        return list(event.genome)
    return dict(event.metrics) if isinstance(event, Completed) else event.reason


def _event(kind: str, trial: str, what: Any) -> Event:
    if kind == "suggested":
        return Suggested(str(trial), tuple(map(int, what)))
    if kind == "completed":
        return Completed(str(trial), _numbers(what))
    return {"failed": Failed}[kind](str(trial), str(what))


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in data.items()}
