"""What two launch files have differently, a line each, shortened to the part that differs."""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

NOTHING = "nothing"
_FIRST = ("image", "InstanceType", "machineType", "ImageId", "sourceImage")
"""What is named before the rest."""
_TYPES = "available_node_types."
_AROUND, _MOST = 12, 60
"""Characters: what is shown around a part that differs, and of it."""


def differences(runs: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """A line for each value that is another, images and types of machines first; types with the same one are counted.

    Args:
        runs: the file that is in force.
        wanted: the one that is to be.
    """
    # The parts of `metadata` are those that others repeat.
    here, there = (dict(_leaves({**found, "metadata": None})) for found in (runs, wanted))
    found = dict[tuple[str, str], list[str]]()
    for path in {**here, **there}:
        old, new = here.get(path, NOTHING), there.get(path, NOTHING)
        if old != new and "..." not in str(new):  # which is not known before the cloud is asked, and then filled in
            group, name = _split(path)
            found.setdefault((name, _said(old, new)), []).append(group)
    ordered = sorted(found.items(), key=lambda item: [not item[0][0].endswith(last) for last in _FIRST])
    return [_line(name, said, groups) for (name, said), groups in ordered]


def lacking(there: Any, wanted: Any) -> Iterator[str]:
    """A line for each value that is wanted and is not there so; what a server adds is no difference."""
    has = dict(_leaves(there))
    for name, value in _leaves(wanted):
        if str(has.get(name)) != str(value):
            yield f"{name} is {has.get(name, NOTHING)}, not {value}"


def _line(name: str, said: str, groups: list[str]) -> str:
    more = f" ({len(groups) - 1} other types alike)" if len(groups) > 1 else ""
    return f"{groups[0]}{name} {said}{more}"


def _split(path: str) -> tuple[str, str]:
    """The type of machines with a point, where it is of one, and the rest."""
    group, point, rest = path.removeprefix(_TYPES).partition(".")
    return (f"{group}{point}", rest.replace("node_config.", "")) if path.startswith(_TYPES) else ("", path)


def _said(old: object, new: object) -> str:
    if isinstance(old, list) and isinstance(new, list):
        less, more = ([str(each) for each in one if each not in other] for one, other in ((old, new), (new, old)))
        if not less and not more:
            return "is in another order"
        old, new = ", ".join(less) or NOTHING, ", ".join(more) or NOTHING
    first, second = _parts(str(old), str(new))
    return f"is {first}, not {second}"


def _parts(old: str, new: str) -> tuple[str, str]:
    """Two texts without what they begin and end with alike, where they are long."""
    if max(len(old), len(new)) <= _MOST:
        return old, new
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    first, second = (_part(text, start, len(text) - end) for text in (old, new))
    return first, second


def _part(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _AROUND), min(len(text), end + _AROUND)
    part = " ".join(text[first:last].split())
    cut = part[:_MOST] + "..." * (len(part) > _MOST)
    return "..." * (first > 0) + cut + "..." * (last < len(text) and len(part) <= _MOST)


def _alike(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _leaves(found: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of all in a launch file that is no mapping or list of them."""
    if isinstance(found, Mapping) and found:
        for key, value in found.items():
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(found, list) and any(isinstance(each, Mapping | list) for each in found):
        for number, value in enumerate(found):
            yield from _leaves(value, f"{name}.{number}")
    else:
        yield name, found
