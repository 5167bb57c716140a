"""From YAML, with what the command line sets, to a validated `Config`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evonas.config.config import Config
from evonas.config.messages import validated
from evonas.errors import UserError

MERGE = "tag:yaml.org,2002:merge"
"""The tag of a key <<, whose section is merged into that which it is in."""


def load_config(
    source: str | Path | Mapping[str, Any], overrides: Iterable[str] = (), given: Mapping[str, Any] | None = None
) -> Config:
    """A validated config from a YAML file or a mapping.

    overrides: KEY=VALUE, a value is read as YAML. given: sections that take the place of those in the source.

    Raises:
        UserError: the file is missing or not YAML, or a key or value is wrong.
    """
    data = {**(source if isinstance(source, Mapping) else _read_yaml(Path(source))), **(given or {})}
    for override in overrides:
        _set(data, override)
    return validated(Config, data, "config")


def overridden(config: Mapping[str, Any], overrides: Iterable[str], section: str) -> Any:
    """One section of a config with KEY=VALUE of the command line.

    Raises:
        UserError: an override is of another section, or none.
    """
    data = dict(config)
    for override in overrides:
        if "=" not in override:
            raise UserError(f"--set takes KEY=VALUE, not {override.removeprefix(f'{section}.')!r}")
        if not override.startswith(f"{section}."):
            raise UserError(f"--set {override}: here it is for {section}.KEY=VALUE alone")
        _set(data, override)
    return data[section]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError:
        raise UserError(f"config: no file {path}") from None
    except OSError as error:
        raise UserError(f"config: {path} cannot be read: {error.strerror}") from None
    except _Twice as twice:
        raise UserError(f"config: {path}: {twice}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"config: {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UserError(f"config: {path} must hold sections (seed, space, task, ...), not {type(data).__name__}")
    return data


def _set(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set takes KEY=VALUE, e.g. strategy.population=48, not {override!r}")
    try:
        value = _Loader(text).get_single_data()
    except _Twice as twice:
        raise UserError(f"--set {override}: {twice}") from None
    except yaml.YAMLError:
        raise UserError(f"--set {override}: the value is not YAML") from None
    data.update(_with(data, key.split("."), value, override))


def _with(section: Any, path: Sequence[str], value: Any, override: str, at: str = "") -> Any:
    """A section, or an entry of a list, with another value at the path below it; what is given stays as it is."""
    if not path:
        return value
    first, *rest = path
    below = f"{at}.{first}" if at else first
    if isinstance(section, Mapping):
        return {**section, first: _with(section.get(first, {}), rest, value, override, below)}
    if not isinstance(section, list | tuple):
        raise UserError(f"--set {override}: {at} is not a section")
    if not first.isdecimal() or int(first) >= len(section):
        entries = f"entries {at}.0 to {at}.{len(section) - 1}" if section else "no entries"
        raise UserError(f"--set {override}: {at} is a list, and has {entries}")
    own = int(first)
    return [_with(entry, rest, value, override, below) if i == own else entry for i, entry in enumerate(section)]


class _Twice(Exception):
    """A key stands twice in a section; the message is one line that says which and where."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key may stand only once in a section."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[object, int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines and key.tag != MERGE:
                where = f"lines {lines[name]} and {line}" if line != lines[name] else f"line {line}"
                raise _Twice(f"{key.value} is given twice, in {where}; keep one of them")
            lines[name] = line
        return super().construct_mapping(node, deep)
