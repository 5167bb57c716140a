"""Reads the YAML of launch files, which one line does many times: by libyaml, ten times as fast, where it is there."""

from collections.abc import Iterator
from typing import Any

import yaml

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def document(text: str) -> Any:
    """What a text of one document says; it makes no object of Python.

    Raises:
        yaml.YAMLError: It is not YAML, or has more than one document.
    """
    return yaml.load(text, _SAFE)


def documents(text: str) -> Iterator[Any]:
    """What each document of a text says, in their order; none makes an object of Python.

    Raises:
        yaml.YAMLError: It is not YAML.
    """
    return yaml.load_all(text, _SAFE)
