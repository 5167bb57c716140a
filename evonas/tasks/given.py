"""Runs whose task was given to `search` in Python: their config has its name and none of its options."""

from collections.abc import Mapping
from typing import Any

from evonas.config import PartConfig
from evonas.config.options import check_options
from evonas.errors import UserError
from evonas.tasks.registry import TASKS


def may_be_given(section: Mapping[str, Any]) -> bool:
    """Whether a run records such a section `task` of a task that was given to it.

    Args:
        section: as run.json has it.
    """
    return set(section) == {"kind"}


def is_given(section: Mapping[str, Any]) -> bool:
    """Whether such a section cannot have made the task of its run, although evonas has a kind of its name.

    Args:
        section: as run.json has it.
    """
    if section["kind"] not in TASKS or not may_be_given(section):
        return False
    try:
        check_options(TASKS, PartConfig.model_validate(section), "task")
    except UserError:
        return True
    return False


def how_to_give(folder: object) -> str:
    """What to do with a run whose task was given.

    Args:
        folder: of the run.
    """
    return (
        f"train by evonas.train(evonas.load({str(folder)!r}, task=TASK)) where it is made, test as how-to/train.md has "
        "it; or write its data to a file, and give --set task.path=FILE and every option that it was made with as "
        "--set task.KEY=VALUE"
    )
