"""Multi-objective evolutionary neural architecture search, from a laptop to a Ray cluster.

    run = evonas.search("configs/digits.yaml")
    run.front()

Nothing heavy is imported before a name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from evonas.platforms import check_platform

if TYPE_CHECKING:
    __version__: str
    from evonas.errors import UserError
    from evonas.final.train import train
    from evonas.records import InputSpec, TaskSpec
    from evonas.runs.loading import load
    from evonas.runs.run import Run
    from evonas.runs.several import Runs
    from evonas.spaces import Arch, Choice, Group, Integer, OneOf, Optional, Repeat, Space
    from evonas.start import search
    from evonas.tasks import Split, Splits, Task, TaskMetric, classification, regression, table_of

_HOMES = {
    "evonas.errors": ("UserError",),
    "evonas.final.train": ("train",),
    "evonas.records": ("InputSpec", "TaskSpec"),
    "evonas.runs.loading": ("load",),
    "evonas.runs.run": ("Run",),
    "evonas.runs.several": ("Runs",),
    "evonas.spaces": ("Arch", "Choice", "Group", "Integer", "OneOf", "Optional", "Repeat", "Space"),
    "evonas.start": ("search",),
    "evonas.tasks": ("Split", "Splits", "Task", "TaskMetric", "classification", "regression", "table_of"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Arch",
    "Choice",
    "Group",
    "InputSpec",
    "Integer",
    "OneOf",
    "Optional",
    "Repeat",
    "Run",
    "Runs",
    "Space",
    "Split",
    "Splits",
    "Task",
    "TaskMetric",
    "TaskSpec",
    "UserError",
    "classification",
    "load",
    "regression",
    "search",
    "table_of",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _HOME:
        raise AttributeError(f"module 'evonas' has no attribute {name!r}")
    check_platform()
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # most processes never ask

    try:
        return version("evonas")
    except PackageNotFoundError:  # it runs from a folder of sources
        return "unknown"
