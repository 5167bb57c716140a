"""From YAML to a validated `Config`, and from its sections to the parts that their `kind` names.

`construct` checks a section's options against the constructor that it names, so the built-in parts and a user's own are
validated alike. An error names the wrong key and the nearest right one.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from evonas.code_owner import place_of
from evonas.config import Config, PartConfig
from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.text import describe_error

YAML_WORDS = {
    "model_type": "takes a section of keys",
    "dict_type": "takes a section of keys",
    "tuple_type": "takes a list",
    "list_type": "takes a list",
    "too_short": "takes a list with something in it",
}
"""What pydantic says in the terms of Python, in those of YAML."""


MOVED = {"strategy.population": "the size of a generation is schedule.generation"}
"""Keys that some kind of a section has, and where to find what they mean for one that has them not."""


READS_AS = {True: "yes and on as true", False: "no and off as false"}
"""Words that YAML 1.1 takes for something else than themselves."""


MERGE = "tag:yaml.org,2002:merge"
"""The tag of a key <<, whose section is merged into that which it is in."""


M = TypeVar("M", bound=BaseModel)


T = TypeVar("T")


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


def validated(model: type[M], data: Mapping[str, Any], what: str) -> M:
    """`data` as `model`, or a UserError that names the first wrong key and the nearest right one."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{what}: {_first_error(error, model)}") from None


def overridden(config: Mapping[str, Any], overrides: Iterable[str], section: str) -> Any:
    """One section of a config with KEY=VALUE of the command line.

    Raises:
        UserError: an override is of another section, or none.
    """
    data = dict(config)
    for override in overrides:
        if not override.startswith(f"{section}."):
            raise UserError(f"--set {override}: here it is for {section}.KEY=VALUE alone")
        _set(data, override)
    return data[section]


def construct(registry: Mapping[str, Callable[..., T]], section: PartConfig, noun: str, *given: Any) -> T:
    """Make the part that a section's `kind` names.

    Args:
        registry: kind -> constructor.
        section: the kind, and options for the constructor's keyword-only parameters.
        noun: what the part is, for messages: the section's name.
        given: positional arguments of the constructor.

    Returns:
        What the constructor returns.

    Raises:
        UserError: no such kind, an unknown option, an option of the wrong type or range, one that the constructor
            refuses by a ValueError, or the constructor is the user's own and raises.
    """
    options = check_options(registry, section, noun)
    try:
        return registry[section.kind](*given, **options)
    except ValueError as error:
        raise UserError(f"{noun}: {error}") from None
    except UserError:
        raise
    except Exception as error:
        if not (place := place_of(error)):
            raise
        raise UserError(f"{noun}: {section.kind} raises {describe_error(error)}{place}") from error


def check_options(registry: Mapping[str, Callable[..., Any]], section: PartConfig, noun: str) -> dict[str, Any]:
    """Find fault with a section without making its part.

    Args:
        registry: kind -> constructor.
        section: the kind, and options for the constructor's keyword-only parameters.
        noun: what the part is, for messages: the section's name.

    Returns:
        The options that the section gives, as their annotations have them.

    Raises:
        UserError: no such kind, what is registered makes no part, an unknown option, or an option of the wrong type or
            range.
    """
    if section.kind not in registry:
        raise UserError(f"{noun}.kind: {unknown(section.kind, registry)}")
    constructor = registry[section.kind]
    if not callable(constructor):
        own = type(constructor).__name__
        raise UserError(f"{noun}.kind: {section.kind} is registered as a {own}, not as what makes one: give the class")
    if lacking := sorted(getattr(constructor, "__abstractmethods__", ())):
        raise UserError(f"{noun}.kind: {constructor.__name__} has no {', '.join(lacking)}; define it in the class")
    model = options_model(constructor)
    for key in section.options:
        if key not in model.model_fields:
            raise UserError(f"{noun}: {_no_option(constructor, section, noun, key, model)}")
    options = validated(model, section.options, noun)
    return {name: getattr(options, name) for name in options.model_fields_set}


def with_defaults(registry: Mapping[str, Callable[..., Any]], section: Mapping[str, Any]) -> Mapping[str, Any]:
    """A section of a resolved config with the defaults of its part's options.

    Args:
        registry: kind -> constructor.
        section: plain data.

    Returns:
        Equal for two sections that ask for the same part; the section itself, where the registry cannot tell.
    """
    kind, options = section["kind"], {key: value for key, value in section.items() if key != "kind"}
    if kind not in registry:
        return section
    try:
        return {"kind": kind, **options_model(registry[kind]).model_validate(options).model_dump()}
    except ValidationError:
        return section


def options_model(constructor: Callable[..., Any]) -> type[BaseModel]:
    """The options of a part: the keyword-only parameters of its constructor, as a strict model.

    Returns:
        A model for validation and for the JSON schema. A parameter without an annotation takes anything.
    """
    fields: dict[str, Any] = {}
    empty = inspect.Parameter.empty
    for name, parameter in inspect.signature(constructor, eval_str=True).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            annotation = Any if parameter.annotation is empty else parameter.annotation
            fields[name] = (annotation, ... if parameter.default is empty else parameter.default)
    return create_model(getattr(constructor, "__name__", "options"), __config__=ConfigDict(extra="forbid"), **fields)


def _no_option(
    constructor: Callable[..., Any], section: PartConfig, noun: str, key: str, model: type[BaseModel]
) -> str:
    """What is wrong with a key that is no option, and what would be right."""
    if key in inspect.signature(constructor).parameters:
        return f"{key!r} of {constructor.__name__} is no option: options are keyword-only parameters, behind a *"
    hint = f"; {MOVED[f'{noun}.{key}']}" if f"{noun}.{key}" in MOVED else ""
    return unknown(key, (*type(section).model_fields, *model.model_fields)) + hint


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


def _first_error(error: ValidationError, model: type[BaseModel]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    where = [str(part) for part in first["loc"]]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        section = ".".join(where[:-1])
        names = _fields_at(model, where[:-1])
        return f"{section + ': ' if section else ''}{unknown(where[-1], names)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    message = YAML_WORDS.get(first["type"], message)
    if first["type"] == "string_type" and isinstance(first["input"], bool):
        where = where[:-2] if where[-1] == "[key]" else where  # the key itself is given as 0 or 1
        return f"{'.'.join(where)}: quote it: YAML reads {READS_AS[first['input']]}{more}"
    given = "" if first["type"] in {"missing", "value_error"} else f", not {first['input']!r}"
    return f"{'.'.join(where)}: {message[0].lower()}{message[1:]}{given}{more}"


def _fields_at(model: type[BaseModel], path: list[str]) -> Iterable[str]:
    """The field names of the section at `path`, by walking annotations; `path` may cross tuples and dicts."""
    current: Any = model
    for part in path:
        if inspect.isclass(current) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[part].annotation
            arguments = [a for a in getattr(current, "__args__", ()) if inspect.isclass(a)]
            current = next((a for a in arguments if issubclass(a, BaseModel)), current)
    return current.model_fields if inspect.isclass(current) and issubclass(current, BaseModel) else ()
