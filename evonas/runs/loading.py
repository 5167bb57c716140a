"""A run folder by its place, or several of them as one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from evonas.runs.run import Run
from evonas.runs.several import Runs

if TYPE_CHECKING:  # a run is read without torch
    from evonas.spaces.space import Space
    from evonas.tasks import Task


@overload
def load(  # type: ignore[overload-overlap]  # str first
    folder: str | Path, space: "Space | None" = None, task: "Task | None" = None
) -> Run: ...
@overload
def load(folder: Sequence[str | Path], space: "Space | None" = None, task: "Task | None" = None) -> Runs: ...
def load(
    folder: str | Path | Sequence[str | Path], space: "Space | None" = None, task: "Task | None" = None
) -> Run | Runs:
    """A run folder, finished or live: a path, or a URL such as s3://bucket/run; or several, as one.

    Args:
        folder: one, or several whose objectives are the same.
        space: the user's own, where the config names none of evonas.
        task: the same.
    """
    if isinstance(folder, str) or not isinstance(folder, Sequence):
        return Run(folder, space, task)
    return Runs(folder, space, task)
