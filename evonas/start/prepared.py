"""A search that can start."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from evonas.components import Components
from evonas.reuse import Reuse
from evonas.store import Folder

Source = str | Path | Mapping[str, Any]
"""A config: a YAML file, or the same as a mapping."""


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search that can start: its components and its run folder, which may be new.

    modules: the user's own, for workers that cannot import them. notes: what a person should know before it starts.
    data: what each split has, in words; empty where nothing is trained. reuse: what it begins with. founders_from: the
    file or the run that its founders were taken from.
    """

    components: Components
    folder: Folder
    modules: tuple[ModuleType, ...] = ()
    notes: tuple[str, ...] = ()
    data: str = ""
    reuse: Reuse = dataclasses.field(default_factory=Reuse)
    founders_from: str = ""


def owner_of(folder: Folder) -> str:
    """How other searches on the machine see this one: by its folder, wherever they were started."""
    where = str(folder)
    return where if "://" in where else os.path.abspath(where)
