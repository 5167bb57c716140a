"""From a section of a config to the part that its `kind` names.

The options of a section are checked against the constructor that it names, so the built-in parts and a user's own are
validated alike.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from evonas.code_owner import place_of
from evonas.config.messages import validated
from evonas.config.section import Checked, PartConfig
from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.text import describe_error

MOVED = {"strategy.population": "the size of a generation is schedule.generation"}
"""Keys that some kind of a section has, and where to find what they mean for one that has them not."""

T = TypeVar("T")


class Options(Checked):
    """What the options of any part are: none that it does not know."""

    model_config = ConfigDict(extra="forbid")


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
    return create_model(getattr(constructor, "__name__", "options"), __base__=Options, **fields)


def _no_option(
    constructor: Callable[..., Any], section: PartConfig, noun: str, key: str, model: type[BaseModel]
) -> str:
    """What is wrong with a key that is no option, and what would be right."""
    if key in inspect.signature(constructor).parameters:
        return f"{key!r} of {constructor.__name__} is no option: options are keyword-only parameters, behind a *"
    hint = f"; {MOVED[f'{noun}.{key}']}" if f"{noun}.{key}" in MOVED else ""
    return unknown(key, (*type(section).model_fields, *model.model_fields)) + hint
