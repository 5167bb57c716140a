"""Small JSON files that vouch for themselves: run.json, starts, manifests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from evonas.store.folder import Folder

CHECKSUM = "sha256_of_the_rest"


class Damaged(Exception):
    """A file is not what was written. `name`: which; the message: in what way."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.name, self.what = name, what


def to_document(content: Mapping[str, Any]) -> bytes:
    return json.dumps({**content, CHECKSUM: _digest(content)}, indent=1).encode()


def from_document(name: str, data: bytes) -> dict[str, Any]:
    """
    Raises:
        Damaged: it is not JSON, or its checksum is not that of its content.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise Damaged(name, "is damaged: it is not JSON") from None
    if not isinstance(content, dict) or content.pop(CHECKSUM, None) != _digest(content):
        raise Damaged(name, "is damaged: its checksum is not that of its content")
    return content


def read_document(folder: Folder, name: str) -> dict[str, Any]:
    """
    Raises:
        FileNotFoundError: there is none.
        Damaged: it is not JSON, or its checksum is not that of its content.
    """
    return from_document(name, folder.read(name))


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
