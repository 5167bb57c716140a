"""A machine that runs now."""

from dataclasses import dataclass
from datetime import datetime

GROUP = "ray-user-node-type"
"""The tag by which Ray's launcher marks a machine with its name in the launch file."""


@dataclass(frozen=True, slots=True)
class Running:
    """A machine.

    Args:
        type: as a table of prices names it: `g6.xlarge.spot`.
        since: when it was started; None where that is not known.
        group: its name in the launch file, where that is known.
    """

    type: str
    since: datetime | None
    group: str = ""
