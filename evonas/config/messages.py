"""What is wrong with a config, in one line: the first wrong key or value, and the nearest right one."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evonas.did_you_mean import unknown
from evonas.errors import UserError

YAML_WORDS = {
    "model_type": "takes a section of keys",
    "dict_type": "takes a section of keys",
    "tuple_type": "takes a list",
    "list_type": "takes a list",
    "is_instance_of": "takes a list",
    "float_parsing": "takes a number",
    "float_type": "takes a number",
    "int_parsing": "takes a whole number",
    "int_type": "takes a whole number",
    "too_short": "takes a list with something in it",
}
"""What pydantic says in the terms of Python, in those of YAML."""

READS_AS = {True: "yes and on as true", False: "no and off as false"}
"""Words that YAML 1.1 takes for something else than themselves."""

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], data: Mapping[str, Any], what: str) -> M:
    """`data` as `model`, or a UserError that names the first wrong key and the nearest right one."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{what}: {_first_error(error, model, data)}") from None


def _first_error(error: ValidationError, model: type[BaseModel], data: Mapping[str, Any]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    # without the names that pydantic has for the types of a union
    where = [str(part) for part in first["loc"] if "[" not in str(part) or part == "[key]"]
    others = {place for problem in problems if (place := _place(problem, data)) != _place(first, data)[: len(place)]}
    more = f" (and {len(others)} more)" if others else ""
    if first["type"] == "missing":
        lacking = [".".join(map(str, problem["loc"])) for problem in problems if problem["type"] == "missing"]
        rest = len(problems) - len(lacking)
        return f"{', '.join(lacking)}: required{f' (and {rest} more)' if rest else ''}"
    if first["type"] == "extra_forbidden":
        section = ".".join(where[:-1])
        names = _fields_at(model, where[:-1])
        return f"{section + ': ' if section else ''}{unknown(where[-1], names)}{more}"
    message = first["msg"].removeprefix("Value error, ")
    message = YAML_WORDS.get(first["type"], message)
    if first["type"] == "string_type" and isinstance(first["input"], bool):
        where = where[:-2] if where[-1] == "[key]" else where  # the key itself is given as 0 or 1
        return f"{'.'.join(where)}: quote it: YAML reads {READS_AS[first['input']]}{more}"
    given = "" if first["type"] == "value_error" else f", not {first['input']!r}"
    if first["type"] == "literal_error" and isinstance(first["input"], bool):
        given += f" (quote it: YAML reads {READS_AS[first['input']]})"
    section = f"{'.'.join(where)}: " if where else ""
    return f"{section}{message[0].lower()}{message[1:]}{given}{more}"


def _place(problem: Mapping[str, Any], data: Any) -> tuple[int | str, ...]:
    """The keys down to a problem; those of several members of a union, whose names pydantic adds, are alike."""
    if problem["type"] == "missing":
        return tuple(problem["loc"])
    found = []
    for part in problem["loc"]:
        if part in data if isinstance(data, Mapping) else isinstance(data, list | tuple) and isinstance(part, int):
            data = data[part]
            found.append(part)
    return tuple(found)


def _fields_at(model: type[BaseModel], path: list[str]) -> Iterable[str]:
    """The field names of the section at `path`, by walking annotations; `path` may cross tuples and dicts."""
    current: Any = model
    for part in path:
        if inspect.isclass(current) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[part].annotation
            arguments = [a for a in getattr(current, "__args__", ()) if inspect.isclass(a)]
            current = next((a for a in arguments if issubclass(a, BaseModel)), current)
    return current.model_fields if inspect.isclass(current) and issubclass(current, BaseModel) else ()
