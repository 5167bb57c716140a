"""What Ray's launcher would refuse of a launch file, which it says when bucket, role and group are made."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evonas.errors import UserError
from evonas.text import one_line


def check_schema(launch: Mapping[str, Any], cloud: str, name: object) -> None:
    """Lets go on with a file that is of this cloud, and as the schema of the Ray that is installed here wants it.

    Args:
        launch: the file.
        cloud: `aws` or `gcp`, as Ray names them too.
        name: of the file, for people.

    Raises:
        UserError: It is of another cloud, or Ray's launcher takes no such file.
    """
    if (kind := launch["provider"].get("type")) != cloud:
        raise UserError(f"{name}: provider.type is {kind}, and the cluster is to be of {cloud}: type: {cloud}")
    if not (schema := _schema()):
        return
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

    if wrong := best_match(Draft7Validator(schema).iter_errors(launch)):
        where = ".".join(str(part) for part in wrong.absolute_path) or "at its top"
        raise UserError(one_line(f"{name}: Ray's launcher refuses it: {where}: {wrong.message}"))


@cache
def _schema() -> dict[str, Any]:
    """Of Ray's launcher; empty where that is not of this Python's packages."""
    if not (ray := find_spec("ray")) or not find_spec("jsonschema"):
        return {}
    file = Path((ray.submodule_search_locations or [""])[0], "autoscaler", "ray-schema.json")
    return dict(json.loads(file.read_text())) if file.is_file() else {}
