"""What of a launch file that was changed by hand would have Ray start without RAY_AUTH_MODE=token."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from evonas.errors import UserError

_COMMENT = re.compile(r"^\s*#.*", re.MULTILINE)
_NAMED = re.compile(
    r"(?P<before>[\w-]+[ =])?(?:-[a-z]*)?"
    r"(?<![$])(?<!\$\{)(?P<name>RAY_AUTH_MODE|(?<!\w)AUTH_MODE)\b(?P<value>=[\"']?\w*)?",
    re.ASCII | re.IGNORECASE,
)
"""Where it is named and not only read; without RAY_ it is that of `ray start --system-config`."""
_STARTS = re.compile(r"\bray\s+start\b|\bKUBERAY_GEN_RAY_START_CMD\b")
_CHANGES = re.compile(
    r"(?<![\w$-])(?P<name>env|sudo|doas|su|runuser|login|setpriv|chroot|machinectl|exec|unset)(?![\w.=:/-])"
    r"(?=(?P<rest>(?:'[^']*'|\"[^\"]*\"|[^\n;&|])*))"
)
"""What may take some of its environment from what it starts, and the rest of its command."""
_OF_ENV = r"(?:\s+(?:-v|--debug|-C\s+\S+|--chdir=\S+|-u\s*\w+|--unset=\w+|\w+=(?:'[^']*'|\"[^\"]*\"|[^\s'\"])*))*"
_OF_SUDO = r"(?:\s+(?:-[AbEHknPS]+|--preserve-env|-u\s*\w+|\w+=\S*))*"
_COMMAND = r"\s+(?![-\s]|\w+=)"
_KEEPS = {
    "env": re.compile(_OF_ENV + _COMMAND),
    "sudo": re.compile(rf"{_OF_SUDO}\s+(?:-[AbHknPS]*E[AbEHknPS]*|--preserve-env){_OF_SUDO}{_COMMAND}"),
    "exec": re.compile(rf"(?:\s+-a\s+\S+)?{_COMMAND}"),
}
"""With which options they are known to keep it; with others, as with all others of them, no Ray is let through."""
_EMPTIES = {
    "env": re.compile(rf"{_OF_ENV}\s+(?:-[a-zA-Z0]*i\w*|--ignore-environment|-)(?![\w-])"),
    "su": re.compile(r".*\s(?:-|-[a-zA-Z]*l[a-zA-Z]*|--login)(?![\w-])"),
    "exec": re.compile(r"\s+-[a-z]*c"),
}
"""With which they take all of it, from whatever they start: Ray may come of that."""
_UNSAID = re.compile(r"[$`*]")
"""What names of variables come from that are not said."""


def code(text: str) -> str:
    """Lines of a shell without comments, each whole."""
    return _COMMENT.sub("", text).replace("\\\n", " ")


def taken(text: str) -> str:
    """What in lines of a shell, as of `code`, or in one value takes the mode from Ray or sets another; else empty."""
    for found in _NAMED.finditer(text):
        value, before = found["value"], found["before"]
        is_token = found["name"] == "RAY_AUTH_MODE" and value and value.strip("=\"'") == "token"
        if not is_token and (value or before != "export "):
            return found[0]
    return next(filter(None, (_lost(found["name"], found["rest"], text) for found in _CHANGES.finditer(text))), "")


def _lost(name: str, rest: str, text: str) -> str:
    """What of a command may take the mode from a Ray; text: it is a part of that."""
    if name in _EMPTIES and (found := _EMPTIES[name].match(rest)):
        return name + found[0]
    starts = _STARTS.search(text if name == "unset" else rest)
    keeps = not _UNSAID.search(rest) if name == "unset" else name in _KEEPS and _KEEPS[name].match(rest)
    return name + rest if starts and not keeps else ""


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
