"""What a head that runs was started with, beside the launch file that is edited, which takes effect after `down`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas.launch.launch_files.differences import differences

MOST = 9
"""Of the differences that are named."""


def head_file(copy: Path) -> Path:
    """Where it is kept, for the launch file that is edited."""
    return copy.with_name(copy.name.replace("my-", "my-head-", 1))


def cure(path: object) -> str:
    """What helps where a file is damaged: one that a head was started with is not written anew while that runs."""
    copy, is_head, rest = str(path).rpartition("my-head-")
    if is_head:
        return f"remove it, and what runs is counted by {copy}my-{rest}"
    return "mend it, or remove it, and it is written anew"


def forget(copy: Path) -> None:
    """Removes it, as the head is gone."""
    head_file(copy).unlink(missing_ok=True)


def said(copy: Path, runs: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> list[str]:
    """What a user has to know whose head runs: that its file, and none that was changed since, is in force.

    Args:
        copy: the launch file that is edited.
        runs: what the head was started with; None where that is not known.
        wanted: what it would be started with now.
    """
    if runs is None:
        return [
            f"a head runs, and with which file it was started is not known here: the costs are of {copy}, of which "
            f"what was changed since takes effect after `down`"
        ]
    if not (differs := differences(runs, wanted)):
        return []
    more = [f"  and {len(differs) - MOST} more"] if len(differs) > MOST else []
    return [
        f"the head runs with {head_file(copy)}, the file that it was started with, and the costs are of that; what "
        f"differs takes effect after `down`:",
        *(f"  {line}" for line in differs[:MOST]),
        *more,
    ]
