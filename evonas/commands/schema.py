"""`evonas schema`."""

import argparse
import json
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
    from evonas.loading import options_model

    options = options_model(part).model_json_schema()
    definitions.update(options.pop("$defs", {}))
    first_line = (part.__doc__ or name).strip().splitlines()[0]
    return {
        "type": "object",
        "description": first_line,
        "properties": {**base["properties"], "kind": {"const": name}, **options.get("properties", {})},
        "required": ["kind", *options.get("required", [])],
        "additionalProperties": False,
    }
