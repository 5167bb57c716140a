"""What of a launch file that was changed by hand would have Ray start without RAY_AUTH_MODE=token."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from evonas.errors import UserError

_COMMENT = re.compile(r"^\s*#.*", re.MULTILINE)
_NAMED = re.compile(
    r"(?P<before>[\w-]+[ =])?(?<![\w$])(?<!\$\{)(?P<name>RAY_)?AUTH_MODE\b(?P<value>=[\"']?\w*)?", re.ASCII
)
"""Where it is named and not only read; without RAY_ it is that of `ray start --system-config`."""
_LOST = re.compile(
    r"\benv (?:[^\n;&|]* )?(?:-i\b|- |--ignore-environment\b)|\bexec -c\b|"
    r"\bsudo (?![^\n;&|]*(?:-E|--preserve-env))[^\n;&|]*\bray start\b|\bsu (?:[^\n;&|]* )?(?:-|-l|--login) [^\n;&|]*"
)
"""What takes all of its environment from what it starts."""


def code(text: str) -> str:
    """Lines of a shell without comments, each whole."""
    return _COMMENT.sub("", text).replace("\\\n", " ")


def taken(text: str) -> str:
    """What in lines of a shell, as of `code`, or in one value takes the mode from Ray or sets another; else empty."""
    for found in _NAMED.finditer(text):
        value, before = found["value"], found["before"]
        is_token = found["name"] and value and value.strip("=\"'") == "token"
        if not is_token and (value or before != "export "):
            return found[0]
    lost = _LOST.search(text)
    return lost[0] if lost else ""


def check_mode(launch: Any, name: object) -> None:
    """Lets go on with a launch file in which nothing takes the mode from Ray.

    Args:
        launch: the file, or its objects.
        name: of the file, for people.

    Raises:
        UserError: Something does.
    """
    for text in texts(launch):
        refuse(taken(code(text)), name)


def refuse(words: str, name: object) -> None:
    """Raises UserError where there are words by which Ray would not ask for the token; name: of their file."""
    if words:
        raise UserError(
            f"{name}: {' '.join(words.split())}: Ray would not have RAY_AUTH_MODE=token, and whoever reaches it could "
            f"run anything there"
        )


def texts(found: Any) -> Iterator[str]:
    """All that is no mapping or list; an item of `env` as a shell has it, and what a container starts as one line."""
    if isinstance(found, Mapping) and {*found} == {"name", "value"}:
        yield f"{found['name']}={found['value']}"
    elif isinstance(found, Mapping):
        lines = [line for key in ("command", "args") if isinstance(line := found.get(key), list)]
        yield " ".join(str(word) for line in lines for word in line)
        for each in found.values():
            yield from texts(each)
    elif isinstance(found, list):
        for each in found:
            yield from texts(each)
    else:
        yield str(found)
