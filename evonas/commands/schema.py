"""`evonas schema`."""

import argparse
import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace) -> int:
    print(json.dumps(schema(), indent=2))
    return 0


def schema() -> dict[str, Any]:
    """The JSON schema of a config: every section, and the options of each kind."""
    from evonas.config import Config
    from evonas.evaluation.learners import LEARNERS
    from evonas.spaces import SPACES
    from evonas.strategies import STRATEGIES
    from evonas.tasks import TASKS

    result = Config.model_json_schema()
    definitions = result["$defs"]
    for section, registry, base in (
        ("space", SPACES, "PartConfig"),
        ("task", TASKS, "PartConfig"),
        ("strategy", STRATEGIES, "StrategyConfig"),
        ("learner", LEARNERS, "PartConfig"),
    ):
        kinds = [_kind(name, part, definitions[base], definitions) for name, part in registry.items()]
        own = {**definitions[base], "description": f"a {section} of your own, registered by --import"}
        own["properties"] = {**own["properties"], "kind": {"type": "string", "not": {"enum": list(registry)}}}
        default = {key: value for key, value in result["properties"][section].items() if key == "default"}
        result["properties"][section] = {"anyOf": [*kinds, own], **default}
    for base in ("PartConfig", "StrategyConfig"):
        definitions.pop(base)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result, "title": "evonas config"}


def _kind(name: str, part: Callable[..., Any], base: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of one kind of a section: the section's own keys and the options of its constructor."""
    from evonas.config.options import options_model

    options = options_model(part).model_json_schema()
    definitions.update(options.pop("$defs", {}))
    text = inspect.cleandoc(part.__doc__ or name)
    meanings = arguments_in(text)
    properties = {
        key: {**value, **({"description": meanings[key]} if key in meanings and "description" not in value else {})}
        for key, value in options.get("properties", {}).items()
    }
    return {
        "type": "object",
        "description": " ".join(text.partition("\n\n")[0].split()),
        "properties": {**base["properties"], "kind": {"const": name}, **properties},
        "required": ["kind", *options.get("required", [])],
        "additionalProperties": False,
    }


def arguments_in(docstring: str) -> dict[str, str]:
    """What the `Args:` section of a docstring says of each argument, on one line each.

    Args:
        docstring: without the indentation of its definition.
    """
    section = re.search(r"^Args:\n((?: {4}.*\n?|\n)*)", docstring, re.MULTILINE)
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section[1], re.MULTILINE) if section else []
    return {name: " ".join(text.split()) for name, text in found}
